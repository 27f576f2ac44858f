from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.endpoint_ops.access import MANAGING, VIEWING
from budapp.endpoint_ops.schemas import HistoryQuery
from budapp.pricing_ops import services
from budapp.pricing_ops.schemas import PriceHistory, PriceInput, PriceRetrieved, PriceUpdated

router = APIRouter(prefix="/endpoints/{endpoint_id}/pricing", tags=["endpoints"], dependencies=[service_accounts_may])

Viewer = Annotated[Caller, Depends(VIEWING)]
Manager = Annotated[Caller, Depends(MANAGING)]


@router.get("")
async def get_price(endpoint_id: UUID, caller: Viewer, session: Read) -> PriceRetrieved:
    """Get what the tokens of an endpoint cost now."""
    return PriceRetrieved.of(await services.get_price(session, caller, endpoint_id))


@router.put("")
async def change_price(endpoint_id: UUID, data: PriceInput, caller: Manager, session: Write) -> PriceUpdated:
    """Give a published endpoint a new price."""
    return PriceUpdated.of(await services.change_price(session, caller, endpoint_id, data))


@router.get("/history")
async def list_prices(
    endpoint_id: UUID, caller: Viewer, session: Read, query: Annotated[HistoryQuery, Query()]
) -> PriceHistory:
    """List the prices that an endpoint has and had, the newest first."""
    return PriceHistory.of(await services.list_prices(session, caller, endpoint_id, query))
