from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Result, Row, select

from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.paging import matching
from budapp.tenant_ops.models import Tenant, TenantClient
from budapp.tenant_ops.schemas import TenantQuery

COLUMNS = {
    name: getattr(Tenant, name)
    for name in (
        "id",
        "name",
        "tenant_identifier",
        "description",
        "is_active",
        "is_platform",
        "created_at",
        "modified_at",
    )
}


async def find_by_realm(session: ReadSession, realm: str) -> Tenant | None:
    tenant: Tenant | None = await session.scalar(select(Tenant).where(Tenant.realm_name == realm))
    return tenant


async def find_client(
    session: ReadSession, *, realm: str | None = None, tenant_id: UUID | None = None
) -> tuple[Tenant, TenantClient] | None:
    """Return the active tenant, by realm or id, with its client."""
    statement = select(Tenant, TenantClient).join(TenantClient).where(Tenant.is_active)
    if tenant_id is not None:
        statement = statement.where(Tenant.id == tenant_id)
    else:
        statement = statement.where(Tenant.realm_name == realm)
    row = (await session.execute(statement)).one_or_none()
    return (row.Tenant, row.TenantClient) if row else None


async def client_of_tenant(session: ReadSession, tenant_id: UUID) -> TenantClient | None:
    statement = select(TenantClient).where(TenantClient.tenant_id == tenant_id)
    client: TenantClient | None = await session.scalar(statement)
    return client


async def active_realms(session: ReadSession) -> Sequence[Row[Any]]:
    """Return id and realm of every active tenant."""
    found: Result[Any] = await session.execute(select(Tenant.id, Tenant.realm_name).where(Tenant.is_active))
    return found.all()


async def lock_tenant(session: ReadSession, tenant_id: UUID) -> None:
    """Lock the tenant's row until the commit; rows that refer to it can still be added meanwhile."""
    await session.execute(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update(key_share=True))


async def page_of_tenants(session: ReadSession, query: TenantQuery) -> Page:
    """Return a page of all tenants."""
    statement = select(*COLUMNS.values()).where(*matching(query, name=Tenant.name))
    return await fetch_page(session, query, statement, COLUMNS)


async def get(session: ReadSession, tenant_id: UUID, *, for_update: bool = False) -> Tenant:
    """Return the tenant, locked until the commit where asked, or raise `NotFound`."""
    statement = select(Tenant).where(Tenant.id == tenant_id)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    tenant: Tenant | None = await session.scalar(statement)
    if tenant is None:
        raise NotFound("Tenant not found")
    return tenant


async def realms(session: ReadSession) -> Sequence[str]:
    """Return the realms of all active tenants."""
    active = select(Tenant.realm_name).where(Tenant.is_active)
    return (await session.scalars(active.order_by(Tenant.created_at))).all()
