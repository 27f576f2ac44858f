"""Clusters, as other domains ask for them."""

from collections.abc import Collection
from uuid import UUID

from budapp.cluster_ops import crud
from budapp.cluster_ops.models import Cluster, ClusterStatus
from budapp.commons.database import ReadSession
from budapp.commons.errors import BadRequest, NotFound


async def available(session: ReadSession, tenant_id: UUID, bud_cluster_ids: Collection[UUID]) -> list[Cluster]:
    """Return those of the tenant's clusters, by the ids that budcluster has for them, which can be used now."""
    found = await crud.find_clusters(session, tenant_id, bud_cluster_ids)
    return [cluster for cluster in found if cluster.status == ClusterStatus.AVAILABLE]


async def require_available(session: ReadSession, tenant_id: UUID, bud_cluster_id: UUID) -> Cluster:
    """Return the tenant's cluster that budcluster knows by the id.

    Raises:
        NotFound: no such cluster, or another tenant's.
        BadRequest: it can't be used now.
    """
    found = await crud.find_clusters(session, tenant_id, [bud_cluster_id])
    if not found:
        raise NotFound("Cluster not found", param="cluster_id")
    if found[0].status != ClusterStatus.AVAILABLE:
        raise BadRequest("Cluster is not available", param="cluster_id")
    return found[0]
