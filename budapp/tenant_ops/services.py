from dataclasses import dataclass
from uuid import UUID

from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.encryption import Encryption
from budapp.commons.scopes import UserRole
from budapp.commons.sealing import seal, unseal
from budapp.integrations.keycloak import Keycloak, RealmClient
from budapp.tenant_ops import crud
from budapp.tenant_ops.models import Tenant, TenantClient


@dataclass(frozen=True, slots=True)
class TenantAccess:
    """An active tenant and the Keycloak client through which its people sign in."""

    tenant_id: UUID
    client: RealmClient


async def find_access(
    session: ReadSession, encryption: Encryption, *, realm: str | None = None, tenant_id: UUID | None = None
) -> TenantAccess | None:
    """Return how the people of the tenant (by realm or id) sign in; None where it does not exist or is disabled."""
    found = await crud.find_client(session, realm=realm, tenant_id=tenant_id)
    if found is None:
        return None
    tenant, client = found
    secret = unseal(encryption, client, TenantClient.client_secret_encrypted)
    return TenantAccess(tenant.id, RealmClient(tenant.realm_name, client.client_named_id, secret))


async def find_id(session: ReadSession, realm: str) -> UUID | None:
    """Return the id of the realm's active tenant."""
    tenant = await crud.find_by_realm(session, realm)
    return tenant.id if tenant is not None and tenant.is_active else None


async def ensure_tenant(
    session: WriteSession, keycloak: Keycloak, encryption: Encryption, *, name: str, realm: str, client_id: str
) -> Tenant:
    """Bring realm, roles, client and rows of the tenant into being; what exists is brought up to date."""
    await keycloak.ensure_realm(realm, list(UserRole))
    internal_id, realm_client = await keycloak.ensure_client(realm, client_id)
    tenant = await crud.find_by_realm(session, realm)
    if tenant is None:
        tenant = Tenant(name=name, realm_name=realm, tenant_identifier=realm)
        session.add(tenant)
        await session.flush()
    client = await crud.client_of_tenant(session, tenant.id) or TenantClient(tenant_id=tenant.id)
    client.client_id, client.client_named_id = internal_id, realm_client.client_id
    seal(encryption, client, TenantClient.client_secret_encrypted, realm_client.secret)
    session.add(client)
    await session.flush()
    return tenant


async def lock_seeding(session: WriteSession) -> None:
    """Let one replica seed at a time, until the end of its unit of work."""
    await crud.lock_seeding(session)
