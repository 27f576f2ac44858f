from dataclasses import dataclass
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, after_rollback
from budapp.commons.encrypted_columns import seal, unseal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import UserRole
from budapp.integrations.keycloak import Keycloak, RealmClient
from budapp.tenant_ops import crud
from budapp.tenant_ops.models import Tenant, TenantClient
from budapp.tenant_ops.schemas import TenantQuery, TenantUpdate


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


async def find_id(session: ReadSession, *, realm: str | None = None, tenant_id: UUID | None = None) -> UUID | None:
    """Return the id of the tenant (by id or realm) if it is active."""
    found = await crud.find_client(session, realm=realm, tenant_id=tenant_id)
    return found[0].id if found is not None else None


async def list_tenants(session: ReadSession, query: TenantQuery) -> Page:
    """Return a page of all tenants, the newest first; only for those who run the platform."""
    return await crud.page_of_tenants(session, query)


async def get_tenant(session: ReadSession, tenant_id: UUID) -> Tenant:
    """Return the tenant, or raise `NotFound`."""
    return await crud.get(session, tenant_id)


async def any_tenant(session: ReadSession, _operator: Caller, tenant_id: UUID) -> Tenant:
    """Return the tenant for somebody who runs the platform, and so reaches all; `NotFound` where there is none."""
    return await get_tenant(session, tenant_id)


async def find_by_identifier(session: ReadSession, identifier: str) -> Tenant:
    """Return the tenant, or raise `NotFound`."""
    tenant = await crud.find_by_realm(session, identifier)
    if tenant is None:
        raise NotFound(f"Tenant not found: {identifier}")
    return tenant


async def update_tenant(session: WriteSession, tenant_id: UUID, data: TenantUpdate) -> Tenant:
    """Change name or description.

    Raises:
        NotFound: there is no such tenant.
        Conflict: another tenant has the name.
    """
    tenant = await crud.get(session, tenant_id, for_update=True)
    for name, value in data.model_dump(exclude_unset=True).items():
        if value is not None or name == "description":
            setattr(tenant, name, value)
    with conflict_on("uq_tenant_name", _name_taken()):
        await session.flush()
    return tenant


async def new_tenant(
    session: WriteSession,
    keycloak: Keycloak,
    encryption: Encryption,
    *,
    name: str,
    identifier: str,
    description: str | None,
    client_id: str,
) -> Tenant:
    """Make a tenant with a realm and a client of its own; a unit of work that fails later takes the realm back.

    The rows come first, so that of two at once one waits for the other and is refused; Keycloak is asked while they
    are held.

    Raises:
        Conflict: the name, or the identifier, is taken; the identifier also by a realm that is not budapp's.
    """
    tenant = Tenant(name=name, realm_name=identifier, tenant_identifier=identifier, description=description)
    session.add(tenant)
    taken = Conflict("There is a tenant with this identifier already", param="identifier")
    with conflict_on("uq_tenant_name", _name_taken()), conflict_on("uq_tenant_realm_name", taken):
        await session.flush()
    try:
        await keycloak.create_realm(identifier, list(UserRole))
    except Conflict as error:
        raise Conflict(error.text, param="identifier") from error

    async def take_back() -> None:
        await keycloak.delete_realm(identifier)

    after_rollback(session, take_back)
    await _ensure_client(session, keycloak, encryption, tenant, client_id)
    return tenant


async def set_active(session: WriteSession, keycloak: Keycloak, tenant_id: UUID, *, active: bool) -> Tenant:
    """Let the tenant's people in, or keep them all out; Keycloak last, and back if the commit fails.

    Raises:
        NotFound: there is no such tenant.
        BadRequest: it is the platform's own.
    """
    tenant = await crud.get(session, tenant_id, for_update=True)
    if tenant.is_platform:
        raise BadRequest("The platform's own tenant can't be disabled")
    if tenant.is_active == active:
        return tenant
    tenant.is_active = active
    await session.flush()
    realm = tenant.realm_name  # the row can't be read any more when it was rolled back
    await keycloak.set_realm_enabled(realm, enabled=active)

    async def take_back() -> None:
        await keycloak.set_realm_enabled(realm, enabled=not active)

    after_rollback(session, take_back)
    return tenant


async def ensure_tenant(
    session: WriteSession,
    keycloak: Keycloak,
    encryption: Encryption,
    *,
    name: str,
    realm: str,
    client_id: str,
    is_platform: bool,
) -> Tenant:
    """Bring realm, roles, client and rows of the tenant into being; what exists is brought up to date."""
    await keycloak.ensure_realm(realm, list(UserRole))
    tenant = await crud.find_by_realm(session, realm)
    if tenant is None:
        tenant = Tenant(name=name, realm_name=realm, tenant_identifier=realm)
        session.add(tenant)
    tenant.is_platform = is_platform
    await session.flush()
    await _ensure_client(session, keycloak, encryption, tenant, client_id)
    return tenant


async def refresh_realms(session: ReadSession, keycloak: Keycloak) -> None:
    """Bring every active tenant's realm up to date with the settings."""
    for realm in await crud.realms(session):
        await keycloak.ensure_realm(realm, list(UserRole))


async def _ensure_client(
    session: WriteSession, keycloak: Keycloak, encryption: Encryption, tenant: Tenant, client_id: str
) -> None:
    internal_id, realm_client = await keycloak.ensure_client(tenant.realm_name, client_id)
    client = await crud.client_of_tenant(session, tenant.id) or TenantClient(tenant_id=tenant.id)
    client.client_id, client.client_named_id = internal_id, realm_client.client_id
    seal(encryption, client, TenantClient.client_secret_encrypted, realm_client.secret)
    session.add(client)
    await session.flush()


def _name_taken() -> Conflict:
    return Conflict("There is a tenant with this name already", param="name")


async def active_realms(session: ReadSession) -> list[tuple[UUID, str]]:
    """Return id and realm of every active tenant."""
    return [(row.id, row.realm_name) for row in await crud.active_realms(session)]


async def lock_tenant(session: WriteSession, tenant_id: UUID) -> None:
    """Let one unit of work at a time change what must hold for the tenant as a whole."""
    await crud.lock_tenant(session, tenant_id)
