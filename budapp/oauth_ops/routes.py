from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, public
from budapp.commons.database import Read, Write
from budapp.commons.scopes import Scope
from budapp.oauth_ops import schemas
from budapp.oauth_ops.schemas import Configuration, Configurations, OAuthConfigure, OAuthProvider
from budapp.oauth_ops.services import ProvidersDep, own_tenant
from budapp.tenant_ops.schemas import TenantName

router = APIRouter(tags=["oauth"])

Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
ManagerOf = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=own_tenant))]


@router.get("/oauth/providers", dependencies=[public])
async def list_providers(
    session: Read,
    providers: ProvidersDep,
    tenant_id: UUID | None = None,
    tenant: Annotated[TenantName | None, Query(description="The tenant's identifier")] = None,
) -> schemas.Providers:
    """List the sign-in providers of a tenant."""
    return schemas.Providers(result=await providers.offered(session, realm=tenant, tenant_id=tenant_id))


@router.post("/admin/oauth/configure")
async def configure_provider(
    data: OAuthConfigure, caller: Manager, session: Write, providers: ProvidersDep
) -> Configuration:
    """Configure a sign-in provider of the caller's tenant; the secret is never shown again."""
    return Configuration(result=await providers.configure(session, caller, data))


@router.get("/admin/oauth/configurations/{tenant_id}")
async def list_configurations(
    tenant_id: UUID, caller: ManagerOf, session: Read, providers: ProvidersDep
) -> Configurations:
    """List the sign-in providers of the caller's tenant."""
    return Configurations(result=await providers.list_configurations(session, caller, tenant_id))


@router.put("/admin/oauth/disable/{tenant_id}/{provider}")
async def disable_provider(
    tenant_id: UUID, provider: OAuthProvider, caller: ManagerOf, session: Write, providers: ProvidersDep
) -> Configuration:
    """Disable a sign-in provider."""
    result = await providers.disable(session, caller, tenant_id, provider)
    return Configuration(message="Provider disabled", result=result)
