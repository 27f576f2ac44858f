from uuid import UUID

from sqlalchemy import func, select

from budapp.commons.database import ReadSession
from budapp.tenant_ops.models import Tenant, TenantClient


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


async def lock_seeding(session: ReadSession) -> None:
    """Let one replica seed at a time, until the end of its transaction."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext("budapp:seed"))))
