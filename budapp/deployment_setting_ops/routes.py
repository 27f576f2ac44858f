from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from budapp.commons.access import Caller, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.deployment_setting_ops import services
from budapp.deployment_setting_ops.schemas import (
    DeploymentSettingsRetrieved,
    DeploymentSettingsRolledBack,
    DeploymentSettingsUpdate,
    DeploymentSettingsUpdated,
)
from budapp.endpoint_ops.access import MANAGING_OR_PEER, VIEWING_OR_PEER

router = APIRouter(
    prefix="/endpoints/{endpoint_id}",
    tags=["endpoints"],
    route_class=IdempotentRoute,
    dependencies=[service_accounts_may],
)

ViewerOrPeer = Annotated[Caller, Depends(VIEWING_OR_PEER)]
ManagerOrPeer = Annotated[Caller, Depends(MANAGING_OR_PEER)]


@router.get("/deployment-settings")
async def get_settings(endpoint_id: UUID, caller: ViewerOrPeer, session: Read) -> DeploymentSettingsRetrieved:
    """Get an endpoint's rate limits, retries and fallbacks."""
    return DeploymentSettingsRetrieved.of(await services.get_settings(session, caller, endpoint_id))


@router.put("/deployment-settings")
async def update_settings(
    endpoint_id: UUID, data: DeploymentSettingsUpdate, caller: ManagerOrPeer, session: Write
) -> DeploymentSettingsUpdated:
    """Change an endpoint's rate limits, retries or fallbacks; what is left out stays.

    Fallbacks are running endpoints of the same project, and none leads back to where it comes from.
    """
    return DeploymentSettingsUpdated.of(await services.update_settings(session, caller, endpoint_id, data))


@router.post("/rollback")
async def roll_back(endpoint_id: UUID, caller: ManagerOrPeer, session: Write) -> DeploymentSettingsRolledBack:
    """Go back to the settings from before the last change; again, to those from before the change before that."""
    return DeploymentSettingsRolledBack.of(await services.roll_back(session, caller, endpoint_id))
