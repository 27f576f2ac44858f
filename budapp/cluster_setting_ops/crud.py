from uuid import UUID

from sqlalchemy import select

from budapp.cluster_setting_ops.models import ClusterSettings
from budapp.commons.database import ReadSession


async def settings_of(session: ReadSession, tenant_id: UUID, cluster_id: UUID) -> ClusterSettings | None:
    """Return the settings of the tenant's cluster, or None."""
    mine = (ClusterSettings.tenant_id == tenant_id, ClusterSettings.cluster_id == cluster_id)
    found: ClusterSettings | None = await session.scalar(select(ClusterSettings).where(*mine))
    return found
