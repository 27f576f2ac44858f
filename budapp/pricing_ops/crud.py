from typing import Any
from uuid import UUID

from sqlalchemy import select

from budapp.commons.database import ReadSession
from budapp.pricing_ops.models import DeploymentPricing


async def current(session: ReadSession, endpoint_id: UUID, *, for_update: bool = False) -> DeploymentPricing | None:
    """Return the current price of an endpoint that has been found in reach."""
    statement: Any = select(DeploymentPricing).where(
        DeploymentPricing.endpoint_id == endpoint_id, DeploymentPricing.is_current
    )
    found: DeploymentPricing | None = await session.scalar(statement.with_for_update() if for_update else statement)
    return found
