"""How endpoints come, change and go, for the workflows that see to that."""

from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.endpoint_ops import crud, lifecycle_crud
from budapp.endpoint_ops.lifecycle_crud import LiveEndpointCrud
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.project_ops.services import RequiresInProject, RequiresInProjectOrPeer

NAME_TAKEN = "An endpoint with this name already exists; choose another name"

find, lock = lifecycle_crud.find, lifecycle_crud.lock


async def reach(session: ReadSession, caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Return the endpoint, or raise `NotFound` where it is out of reach."""
    return await LiveEndpointCrud(session, caller).get(endpoint_id)


async def _project_of(session: ReadSession, caller: Caller, endpoint_id: UUID) -> UUID:
    return (await reach(session, caller, endpoint_id)).project_id


VIEWING = RequiresInProject(Scope.ENDPOINT_VIEW, project_of=_project_of)
VIEWING_OR_PEER = RequiresInProjectOrPeer(Scope.ENDPOINT_VIEW, project_of=_project_of)
MANAGING = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of)
MANAGING_OR_PEER = RequiresInProjectOrPeer(Scope.ENDPOINT_MANAGE, project_of=_project_of)
"""What looking at an endpoint, and changing it, asks for in its project; of people, and of services for them."""


async def viewed(session: ReadSession, caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Return the endpoint, if the caller may look at it.

    Raises:
        NotFound: no such endpoint, or out of reach.
        Forbidden: the caller lacks endpoint:view in its project.
    """
    endpoint = await reach(session, caller, endpoint_id)
    await VIEWING.check(session, caller, endpoint.project_id)
    return endpoint


async def managed(
    session: ReadSession, caller: Caller, endpoint_id: UUID, *, for_update: bool = False, on_cluster: bool = False
) -> Endpoint:
    """Return the endpoint, if the caller may change it.

    Args:
        session: with `for_update`, a session that writes.
        caller: who asks.
        endpoint_id: the endpoint.
        for_update: whether it is locked until the commit.
        on_cluster: whether it must run on a cluster, and not be about to go.

    Raises:
        NotFound: no such endpoint, or out of reach.
        Forbidden: the caller lacks endpoint:manage in its project.
        BadRequest: it does not run on a cluster, or is being deleted.
    """
    endpoint = await LiveEndpointCrud(session, caller).get(endpoint_id, for_update=for_update)
    await MANAGING.check(session, caller, endpoint.project_id)
    if on_cluster and endpoint.bud_cluster_id is None:
        raise BadRequest("A provider's cloud runs this deployment; it has no workers, adapters or scaling of its own")
    if on_cluster and endpoint.status == EndpointStatus.DELETING:
        raise BadRequest("The deployment is being deleted")
    return endpoint


async def check_name_free(session: ReadSession, tenant_id: UUID, name: str) -> None:
    """Raise `Conflict` where an endpoint of the tenant has the name, whatever the case."""
    if await crud.has_name(session, tenant_id, name):
        raise Conflict(NAME_TAKEN, param="endpoint_name")


async def add(session: WriteSession, endpoint: Endpoint) -> None:
    """Put a new endpoint in.

    Raises:
        Conflict: another one of the tenant has the name.
    """
    session.add(endpoint)
    with conflict_on("uq_endpoint_name", Conflict(NAME_TAKEN, param="endpoint_name")):
        await session.flush()
