"""How deployments on a cluster store their data by default."""

from uuid import UUID

from budapp.cluster_ops.services import reach_cluster
from budapp.cluster_setting_ops import crud
from budapp.cluster_setting_ops.models import ClusterSettings
from budapp.cluster_setting_ops.schemas import SettingsChange
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import Conflict, NotFound
from budapp.commons.integrity import conflict_on

_EXISTS = Conflict("The cluster has settings already; change them with PUT", param="cluster_id")


async def find_settings(session: ReadSession, tenant_id: UUID, cluster_id: UUID) -> ClusterSettings | None:
    """Return the settings of the tenant's cluster, or None where there are none: budcluster chooses then."""
    return await crud.settings_of(session, tenant_id, cluster_id)


async def get_settings(session: ReadSession, caller: Caller, cluster_id: UUID) -> ClusterSettings:
    """Return the settings of a cluster.

    Raises:
        NotFound: no such cluster, another tenant's, or it has no settings.
    """
    await reach_cluster(session, caller, cluster_id)
    found = await crud.settings_of(session, caller.tenant_id, cluster_id)
    if found is None:
        raise NotFound("Cluster settings not found")
    return found


async def create_settings(
    session: WriteSession, caller: Caller, cluster_id: UUID, data: SettingsChange
) -> ClusterSettings:
    """Give a cluster settings.

    Raises:
        NotFound: no such cluster, or another tenant's.
        Conflict: it has settings already.
    """
    await reach_cluster(session, caller, cluster_id)
    owner = {"tenant_id": caller.tenant_id, "created_by": caller.user_id, "cluster_id": cluster_id}
    settings = ClusterSettings(**owner, **data.model_dump())
    session.add(settings)
    with conflict_on("uq_cluster_settings_cluster_id", _EXISTS):
        await session.flush()
    return settings


async def change_settings(
    session: WriteSession, caller: Caller, cluster_id: UUID, data: SettingsChange
) -> ClusterSettings:
    """Change what is given of the settings of a cluster; null clears.

    Raises:
        NotFound: no such cluster, another tenant's, or it has no settings.
    """
    settings = await get_settings(session, caller, cluster_id)
    for name, value in data.model_dump(exclude_unset=True).items():
        setattr(settings, name, value)
    await session.flush()
    return settings


async def delete_settings(session: WriteSession, caller: Caller, cluster_id: UUID) -> None:
    """Delete the settings of a cluster.

    Raises:
        NotFound: no such cluster, another tenant's, or it has no settings.
    """
    await session.delete(await get_settings(session, caller, cluster_id))
