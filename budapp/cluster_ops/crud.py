from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from budapp.cluster_ops.models import Cluster
from budapp.commons.database import ReadSession, not_deleted


async def find_clusters(session: ReadSession, tenant_id: UUID, bud_cluster_ids: Collection[UUID]) -> list[Cluster]:
    """Return the tenant's clusters that budcluster knows by one of the ids, and that are not deleted."""
    mine = (Cluster.tenant_id == tenant_id, not_deleted(Cluster))
    return list(await session.scalars(select(Cluster).where(*mine, Cluster.cluster_id.in_(bud_cluster_ids))))
