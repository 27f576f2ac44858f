from typing import Any
from uuid import UUID

from sqlalchemy import select

from budapp.commons.access import Caller
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession
from budapp.commons.paging import Paging
from budapp.pricing_ops.models import DeploymentPricing
from budapp.pricing_ops.schemas import PriceView

_COLUMNS = tuple(getattr(DeploymentPricing, name) for name in PriceView.model_fields)
SORTABLE = {name: getattr(DeploymentPricing, name) for name in ("id", "created_at", "input_cost", "output_cost")}


class PriceCrud(Crud[DeploymentPricing]):
    """The prices of one endpoint, which the caller has been found to reach."""

    model = DeploymentPricing
    soft_deleted = False

    def __init__(self, session: ReadSession, caller: Caller, endpoint_id: UUID) -> None:
        super().__init__(session, caller)
        self.endpoint_id = endpoint_id

    def reach(self) -> list[Any]:
        """Add that they are the endpoint's."""
        return [*super().reach(), DeploymentPricing.endpoint_id == self.endpoint_id]

    async def history(self, paging: Paging) -> Page:
        """Return a page of the prices that the endpoint has and had, as `PriceView` columns."""
        return await self.page(paging, self.visible(*_COLUMNS), SORTABLE)


async def current(session: ReadSession, endpoint_id: UUID) -> DeploymentPricing | None:
    """Return the current price of an endpoint that has been found in reach, as it is now."""
    now = (DeploymentPricing.endpoint_id == endpoint_id, DeploymentPricing.is_current)
    statement = select(DeploymentPricing).where(*now).execution_options(populate_existing=True)
    found: DeploymentPricing | None = await session.scalar(statement)
    return found
