"""What the tokens of endpoints cost. The row of the endpoint is locked while its price changes."""

from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.endpoint_ops.access import changeable_endpoint, reach_endpoint
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.schemas import EndpointPrice, HistoryQuery
from budapp.pricing_ops import crud
from budapp.pricing_ops.models import DeploymentPricing
from budapp.pricing_ops.schemas import PriceInput


async def price_of(session: ReadSession, endpoint_id: UUID) -> EndpointPrice | None:
    """Return what the tokens of an endpoint in reach cost now; None where it never had a price."""
    found = await crud.current(session, endpoint_id)
    return EndpointPrice.model_validate(found) if found is not None else None


async def current_price(session: ReadSession, endpoint_id: UUID) -> DeploymentPricing | None:
    """Return the current price of an endpoint in reach."""
    return await crud.current(session, endpoint_id)


async def get_price(session: ReadSession, caller: Caller, endpoint_id: UUID) -> DeploymentPricing:
    """Return the endpoint's current price.

    Raises:
        NotFound: no such endpoint, or out of reach, or it has no price.
    """
    await reach_endpoint(session, caller, endpoint_id)
    found = await crud.current(session, endpoint_id)
    if found is None:
        raise NotFound("The endpoint has no price yet; it gets one when it is published")
    return found


async def list_prices(session: ReadSession, caller: Caller, endpoint_id: UUID, query: HistoryQuery) -> Page:
    """Return a page of the prices that the endpoint has and had, the newest first.

    Raises:
        NotFound: no such endpoint, or out of reach.
    """
    await reach_endpoint(session, caller, endpoint_id)
    return await crud.PriceCrud(session, caller, endpoint_id).history(query)


async def change_price(session: WriteSession, caller: Caller, endpoint_id: UUID, data: PriceInput) -> DeploymentPricing:
    """Give a published endpoint a new price, and return it.

    Raises:
        NotFound: no such endpoint, or out of reach.
        Forbidden: the caller may not change it.
        BadRequest: it is not published.
    """
    endpoint = await changeable_endpoint(session, caller, endpoint_id, for_update=True)
    if not endpoint.is_published:
        raise BadRequest("The endpoint is not published; publish it with its price")
    return await set_price(session, caller, endpoint, data)


async def set_price(session: WriteSession, caller: Caller, endpoint: Endpoint, data: PriceInput) -> DeploymentPricing:
    """Give an endpoint, which is locked, its price, and return it; the price that it has already stays as it is."""
    before = await crud.current(session, endpoint.id)
    if before is not None:
        if PriceInput.model_validate(before) == data:
            return before
        before.is_current = False
        await session.flush()  # the new one becomes current after this one is not: an index allows one at a time
    price = DeploymentPricing(
        tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, created_by=caller.user_id, **data.model_dump()
    )
    session.add(price)
    await session.flush()
    return price
