from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from budapp.cloud_provider_ops import services
from budapp.cloud_provider_ops.schemas import (
    CloudCredentialCreate,
    CloudCredentialCreated,
    CloudCredentialList,
    CloudCredentialView,
    CloudProviderList,
    CloudProviderView,
    CloudRegionList,
)
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope

router = APIRouter(prefix="/credentials/cloud-providers", tags=["cloud providers"], route_class=IdempotentRoute)

Viewer = Annotated[Caller, Depends(Requires(Scope.CLUSTER_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.CLUSTER_MANAGE))]
ProviderViewer = Annotated[Caller, Depends(Requires(Scope.CLUSTER_VIEW, row=services.get_provider))]
Owner = Annotated[Caller, Depends(Requires(Scope.CLUSTER_MANAGE, row=services.reach_credential))]


@router.get("")
async def list_cloud_providers(_caller: Viewer, session: Read) -> CloudProviderList:
    """List the clouds in which clusters can be made, with the fields of their credentials."""
    found = await services.list_providers(session)
    return CloudProviderList(providers=[CloudProviderView.model_validate(provider) for provider in found])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_cloud_credential(
    data: CloudCredentialCreate, caller: Manager, session: Write
) -> CloudCredentialCreated:
    """Store access to a cloud, as the provider's `schema_definition` asks for it; its values are never shown again."""
    return CloudCredentialCreated(
        credential=CloudCredentialView.of(await services.create_credential(session, caller, data))
    )


@router.get("/credentials")
async def list_cloud_credentials(
    caller: Manager, session: Read, provider_id: Annotated[UUID | None, Query()] = None
) -> CloudCredentialList:
    """List the access to clouds that has been stored."""
    return CloudCredentialList.of(await services.list_credentials(session, caller, provider_id))


@router.get("/credentials/{credential_id}")
async def get_cloud_credential(credential_id: UUID, caller: Owner, session: Read) -> CloudCredentialList:
    """Return one credential, in a list of one."""
    return CloudCredentialList.of(await services.get_credential(session, caller, credential_id))


@router.get("/{provider_id}/regions")
async def list_cloud_regions(provider_id: UUID, caller: ProviderViewer, session: Read) -> CloudRegionList:
    """List the regions of a cloud."""
    provider = await services.get_provider(session, caller, provider_id)
    return CloudRegionList.model_validate({"provider_id": provider.id, "regions": provider.regions})
