"""What other domains have to say about deployments."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from budapp.commons.database import WriteSession
from budapp.commons.hooks import Hook

before_deletion = Hook[Callable[[WriteSession, UUID], Awaitable[None]]]("before an endpoint is deleted")
"""Called with the endpoint's id while its row is locked; raises `BadRequest` where something still uses it."""

after_deletion = Hook[Callable[[WriteSession, UUID], Awaitable[None]]]("after an endpoint was deleted")
"""Called with the endpoint's id in the unit of work in which it becomes `deleted`."""
