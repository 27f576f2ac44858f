from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, status

from budapp.cluster_ops.services import reach_cluster
from budapp.cluster_setting_ops import services
from budapp.cluster_setting_ops.schemas import SettingsChange, SettingsDeleted, SettingsRetrieved
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope

router = APIRouter(prefix="/clusters/{cluster_id}/settings", tags=["cluster settings"], route_class=IdempotentRoute)

Reader = Annotated[Caller, Depends(Requires(Scope.CLUSTER_VIEW, row=reach_cluster))]
Changer = Annotated[Caller, Depends(Requires(Scope.CLUSTER_MANAGE, row=reach_cluster))]


@router.get("")
async def get_cluster_settings(cluster_id: UUID, caller: Reader, session: Read) -> SettingsRetrieved:
    """Return the settings of a cluster; 404 where it has none."""
    return SettingsRetrieved.of(await services.get_settings(session, caller, cluster_id))


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_cluster_settings(
    cluster_id: UUID, data: SettingsChange, caller: Changer, session: Write
) -> SettingsRetrieved:
    """Give a cluster settings."""
    row = await services.create_settings(session, caller, cluster_id, data)
    return SettingsRetrieved.of(row, "Cluster settings created")


@router.put("")
async def change_cluster_settings(
    cluster_id: UUID, data: SettingsChange, caller: Changer, session: Write
) -> SettingsRetrieved:
    """Change the settings that are given; null clears one."""
    row = await services.change_settings(session, caller, cluster_id, data)
    return SettingsRetrieved.of(row, "Cluster settings updated")


@router.delete("")
async def delete_cluster_settings(cluster_id: UUID, caller: Changer, session: Write) -> SettingsDeleted:
    """Delete the settings of a cluster."""
    await services.delete_settings(session, caller, cluster_id)
    return SettingsDeleted()
