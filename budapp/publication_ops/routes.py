from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.endpoint_ops.access import MANAGING, VIEWING
from budapp.endpoint_ops.schemas import HistoryQuery
from budapp.publication_ops import services
from budapp.publication_ops.schemas import Publication, PublicationChange, PublicationList

router = APIRouter(prefix="/endpoints/{endpoint_id}", tags=["endpoints"], dependencies=[service_accounts_may])

Viewer = Annotated[Caller, Depends(VIEWING)]
Manager = Annotated[Caller, Depends(MANAGING)]


@router.put("/publish")
async def change_publication(
    endpoint_id: UUID, data: PublicationChange, caller: Manager, session: Write
) -> Publication:
    """Publish a running endpoint in the catalog under a price, or withdraw it.

    Doing it again changes nothing but the price, if that is another one.
    """
    return await services.change_publication(session, caller, endpoint_id, data)


@router.get("/publication-history")
async def list_publications(
    endpoint_id: UUID, caller: Viewer, session: Read, query: Annotated[HistoryQuery, Query()]
) -> PublicationList:
    """List when an endpoint was published or withdrawn, and by whom, the newest first."""
    return PublicationList.of(await services.list_publications(session, caller, endpoint_id, query))
