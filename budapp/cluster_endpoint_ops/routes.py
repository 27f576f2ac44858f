from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.cluster_endpoint_ops import services
from budapp.cluster_endpoint_ops.schemas import ClusterEndpointList, ClusterEndpointQuery
from budapp.cluster_ops.services import reach_cluster
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read
from budapp.commons.query_parameters import ignores
from budapp.commons.scopes import Scope

router = APIRouter(prefix="/clusters", tags=["clusters"])

Reader = Annotated[Caller, Depends(Requires(Scope.CLUSTER_VIEW, row=reach_cluster))]


@router.get("/{cluster_id}/endpoints", dependencies=[ignores("type")])
async def list_cluster_endpoints(
    cluster_id: UUID, caller: Reader, session: Read, query: Annotated[ClusterEndpointQuery, Query()]
) -> ClusterEndpointList:
    """List what is deployed on a cluster, in all projects."""
    return ClusterEndpointList.of(await services.list_endpoints(session, caller, cluster_id, query))
