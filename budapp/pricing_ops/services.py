"""What the tokens of endpoints cost."""

from uuid import UUID

from budapp.commons.database import ReadSession
from budapp.endpoint_ops.schemas import EndpointPrice
from budapp.pricing_ops import crud


async def price_of(session: ReadSession, endpoint_id: UUID) -> EndpointPrice | None:
    """Return what the tokens of an endpoint in reach cost now; None where it never had a price."""
    found = await crud.current(session, endpoint_id)
    return EndpointPrice.model_validate(found) if found is not None else None
