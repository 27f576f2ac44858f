"""What other domains know of traits."""

from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.hooks import Hook

experiments_of_traits = Hook[Callable[[ReadSession, Caller, Collection[UUID]], Awaitable[dict[UUID, list[UUID]]]]](
    "experiments that have to do with traits", single=True
)
"""The experiments in the caller's reach, by trait."""
