"""What other domains know of endpoints."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from budapp.commons.database import ReadSession
from budapp.commons.hooks import Hook
from budapp.endpoint_ops.schemas import EndpointPrice

price = Hook[Callable[[ReadSession, UUID], Awaitable[EndpointPrice | None]]]("price of an endpoint", single=True)
"""What the tokens of an endpoint cost now; None where it never had a price."""
