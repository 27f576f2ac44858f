"""The adapters of deployments; `workflows.py` has how they come and go."""

from uuid import UUID

from budapp.adapter_ops import crud
from budapp.adapter_ops.crud import AdapterCrud
from budapp.adapter_ops.models import Adapter, AdapterStatus
from budapp.adapter_ops.schemas import AdapterQuery
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.access import reach_endpoint
from budapp.project_ops.services import RequiresInProject


async def _project_of(session: ReadSession, caller: Caller, adapter_id: UUID) -> UUID:
    adapter = await reach_adapter(session, caller, adapter_id)
    return (await reach_endpoint(session, caller, adapter.endpoint_id)).project_id


MANAGING = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of)
"""What changing an adapter asks for, in its endpoint's project."""


async def list_adapters(session: ReadSession, caller: Caller, endpoint_id: UUID, query: AdapterQuery) -> Page:
    """Return a page of a deployment's adapters, the newest first.

    Raises:
        NotFound: no such endpoint, or out of reach.
    """
    await reach_endpoint(session, caller, endpoint_id)
    return await AdapterCrud(session, caller).page_of_adapters(endpoint_id, query)


async def reach_adapter(session: ReadSession, caller: Caller, adapter_id: UUID) -> Adapter:
    """Return the adapter, or raise `NotFound` where it is out of reach."""
    return await AdapterCrud(session, caller).get(adapter_id)


async def after_endpoint_deletion(session: WriteSession, endpoint_id: UUID) -> None:
    """Delete what was loaded into a deployment that is gone."""
    for adapter in await crud.live_of(session, endpoint_id):
        adapter.status = AdapterStatus.DELETED
