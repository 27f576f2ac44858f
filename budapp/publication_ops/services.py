"""Publishing endpoints: from then on the catalog offers them to clients."""

from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.errors import BadRequest
from budapp.endpoint_ops.access import changeable_endpoint, reach_endpoint
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.endpoint_ops.schemas import HistoryQuery
from budapp.pricing_ops.schemas import PriceInput
from budapp.pricing_ops.services import current_price, set_price
from budapp.publication_ops.crud import PublicationCrud
from budapp.publication_ops.models import PublicationAction, PublicationHistory
from budapp.publication_ops.schemas import Publication, PublicationChange, PublicationState


async def change_publication(
    session: WriteSession, caller: Caller, endpoint_id: UUID, change: PublicationChange
) -> Publication:
    """Publish an endpoint, or withdraw it; where it is so already, only a new price is taken.

    Raises:
        NotFound: no such endpoint, or out of reach.
        Forbidden: the caller may not change it.
        BadRequest: it is not running, and can't be published.
    """
    endpoint = await changeable_endpoint(session, caller, endpoint_id, for_update=True)
    before = PublicationState.model_validate(endpoint)
    if change.action == PublicationAction.PUBLISH:
        await _publish(session, caller, endpoint, change.pricing)
    elif endpoint.is_published:
        endpoint.is_published, endpoint.published_date, endpoint.published_by = False, None, caller.user_id
    after = PublicationState.model_validate(endpoint)
    if after != before:
        session.add(_entry(caller, endpoint, change, before, after))
    await session.flush()
    return Publication.of(endpoint, await current_price(session, endpoint_id))


async def list_publications(session: ReadSession, caller: Caller, endpoint_id: UUID, query: HistoryQuery) -> Page:
    """Return a page of when the endpoint was published or withdrawn, the newest first.

    Raises:
        NotFound: no such endpoint, or out of reach.
    """
    await reach_endpoint(session, caller, endpoint_id)
    return await PublicationCrud(session, caller, endpoint_id).history(query)


async def _publish(session: WriteSession, caller: Caller, endpoint: Endpoint, price: PriceInput | None) -> None:
    if not endpoint.is_published:
        if endpoint.status != EndpointStatus.RUNNING:
            state = f"Cannot publish endpoint in {endpoint.status} state"
            raise BadRequest(f"{state}. Endpoint must be in RUNNING state to be published.", param="action")
        endpoint.is_published, endpoint.published_date, endpoint.published_by = True, now(), caller.user_id
    if price is not None:
        await set_price(session, caller, endpoint, price)


def _entry(
    caller: Caller, endpoint: Endpoint, change: PublicationChange, before: PublicationState, after: PublicationState
) -> PublicationHistory:
    return PublicationHistory(
        tenant_id=endpoint.tenant_id,
        deployment_id=endpoint.id,
        action=change.action,
        performed_by=caller.user_id,
        action_metadata=change.action_metadata,
        previous_state=before.model_dump(mode="json"),
        new_state=after.model_dump(mode="json"),
    )
