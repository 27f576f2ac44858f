"""What is deployed on a cluster."""

from uuid import UUID

from budapp.cluster_endpoint_ops.crud import ClusterEndpointCrud
from budapp.cluster_endpoint_ops.schemas import ClusterEndpointQuery
from budapp.cluster_ops.services import reach_cluster
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession


async def list_endpoints(session: ReadSession, caller: Caller, cluster_id: UUID, query: ClusterEndpointQuery) -> Page:
    """Return a page of the deployments on a cluster, the newest first, in whatever project of the tenant they are.

    Raises:
        NotFound: no such cluster, or another tenant's.
    """
    await reach_cluster(session, caller, cluster_id)
    return await ClusterEndpointCrud(session, caller).page_of_cluster(query, cluster_id)
