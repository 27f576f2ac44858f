from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from budapp.cluster_ops.models import Cluster, ClusterStatus
from budapp.commons.database import ReadSession


async def living(session: ReadSession, tenant_id: UUID, bud_cluster_ids: Collection[UUID]) -> list[Cluster]:
    """Return the tenant's clusters that budcluster knows by one of the ids, and that are not deleted."""
    mine = (Cluster.tenant_id == tenant_id, Cluster.status != ClusterStatus.DELETED)
    return list(await session.scalars(select(Cluster).where(*mine, Cluster.cluster_id.in_(bud_cluster_ids))))
