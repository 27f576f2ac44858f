"""Who may look at an endpoint and who may change it: all domains that work on endpoints ask here."""

from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.errors import BadRequest
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.endpoint_crud import EndpointCrud
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.project_ops.services import RequiresInProject, RequiresInProjectOrPeer


async def reach_endpoint(session: ReadSession, caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Return the endpoint, if the caller may look at it.

    Raises:
        NotFound: no such endpoint, or the caller lacks endpoint:view in its project.
    """
    return await EndpointCrud(session, caller).get(endpoint_id)


async def _project_of(session: ReadSession, caller: Caller, endpoint_id: UUID) -> UUID:
    return (await reach_endpoint(session, caller, endpoint_id)).project_id


VIEWING = RequiresInProject(Scope.ENDPOINT_VIEW, project_of=_project_of)
VIEWING_OR_PEER = RequiresInProjectOrPeer(Scope.ENDPOINT_VIEW, project_of=_project_of)
MANAGING = RequiresInProject(Scope.ENDPOINT_MANAGE, project_of=_project_of)
MANAGING_OR_PEER = RequiresInProjectOrPeer(Scope.ENDPOINT_MANAGE, project_of=_project_of)
"""What looking at an endpoint, and changing it, requires in its project; of people, and of services for them."""


async def changeable_endpoint(
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
        NotFound: no such endpoint, or the caller lacks endpoint:view in its project.
        Forbidden: the caller lacks endpoint:manage in its project.
        BadRequest: it does not run on a cluster, or is being deleted.
    """
    endpoint = await EndpointCrud(session, caller).get(endpoint_id, for_update=for_update)
    await MANAGING.check(session, caller, endpoint.project_id)
    if on_cluster and endpoint.bud_cluster_id is None:
        raise BadRequest("A provider's cloud runs this deployment; it has no workers, adapters or scaling of its own")
    if on_cluster and endpoint.status == EndpointStatus.DELETING:
        raise BadRequest("The deployment is being deleted")
    return endpoint
