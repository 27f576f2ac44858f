from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import may_take
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.platform_ops.schemas import TenantAnswer, TenantCreate, TenantCreated, TenantList
from budapp.platform_ops.services import PlatformDep
from budapp.tenant_ops import services as tenants
from budapp.tenant_ops.schemas import TenantQuery, TenantUpdate

TENANT_SECONDS = 60
"""A realm with its roles, client and accounts is made in some seconds, on a busy Keycloak in many."""

router = APIRouter(prefix="/tenants", tags=["tenants"], route_class=IdempotentRoute)

Operator = Annotated[Caller, Depends(Requires(Scope.TENANT_MANAGE))]
OperatorOf = Annotated[Caller, Depends(Requires(Scope.TENANT_MANAGE, row=tenants.any_tenant))]


@router.get("")
async def list_tenants(_caller: Operator, session: Read, query: Annotated[TenantQuery, Query()]) -> TenantList:
    """List all tenants; for super administrators of the platform's own tenant."""
    return TenantList.of(await tenants.list_tenants(session, query))


@router.post("", dependencies=[may_take(TENANT_SECONDS)])
async def create_tenant(data: TenantCreate, _caller: Operator, session: Write, platform: PlatformDep) -> TenantCreated:
    """Create a tenant with a realm, a client and a first administrator, whose password is shown only once, here."""
    return await platform.create_tenant(session, data)


@router.get("/{tenant_id}")
async def get_tenant(tenant_id: UUID, _caller: OperatorOf, session: Read) -> TenantAnswer:
    """Return a tenant."""
    return TenantAnswer.of(await tenants.get_tenant(session, tenant_id), "get", "Tenant found")


@router.patch("/{tenant_id}")
async def update_tenant(tenant_id: UUID, data: TenantUpdate, _caller: OperatorOf, session: Write) -> TenantAnswer:
    """Update the name or the description; the identifier never changes."""
    return TenantAnswer.of(await tenants.update_tenant(session, tenant_id, data), "update", "Tenant changed")


@router.post("/{tenant_id}/disable")
async def disable_tenant(tenant_id: UUID, _caller: OperatorOf, session: Write, platform: PlatformDep) -> TenantAnswer:
    """Disable a tenant: its users are locked out at once, nothing is deleted."""
    tenant = await platform.set_active(session, tenant_id, active=False)
    return TenantAnswer.of(tenant, "disable", "Tenant disabled")


@router.post("/{tenant_id}/enable")
async def enable_tenant(tenant_id: UUID, _caller: OperatorOf, session: Write, platform: PlatformDep) -> TenantAnswer:
    """Enable a tenant; its users can sign in again."""
    return TenantAnswer.of(await platform.set_active(session, tenant_id, active=True), "enable", "Tenant enabled")
