"""The providers of a tenant: in the database, and in its Keycloak realm."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import Database, ReadSession, WriteSession, after_rollback
from budapp.commons.domain import provided
from budapp.commons.encrypted_columns import seal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import Conflict, Forbidden, NotFound, UnprocessableContent
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import ROLE_SCOPES, UserRole
from budapp.integrations.identity_brokers import Brokering, IdentityProvider
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing, UnknownHost
from budapp.oauth_ops import crud
from budapp.oauth_ops.models import TenantOAuthConfig, UserOAuthProvider
from budapp.oauth_ops.schemas import (
    ConfigData,
    OAuthConfiguration,
    OAuthConfigure,
    OAuthProvider,
    OfferedProvider,
    OfferedProviders,
    config_data,
)
from budapp.tenant_ops.services import find_access, find_id

_EXTERNAL_ID = "uq_user_oauth_provider_tenant_id_provider_external_id"

_KINDS = {
    OAuthProvider.GOOGLE: "google",
    OAuthProvider.LINKEDIN: "linkedin-openid-connect",
    OAuthProvider.GITHUB: "github",
    OAuthProvider.MICROSOFT: "microsoft",
    OAuthProvider.OIDC: "oidc",
}
_NAMES = {
    OAuthProvider.GOOGLE: "Google",
    OAuthProvider.LINKEDIN: "LinkedIn",
    OAuthProvider.GITHUB: "GitHub",
    OAuthProvider.MICROSOFT: "Microsoft",
    OAuthProvider.OIDC: "Single sign-on",
}


class Providers:
    """Configures at which providers a tenant's people can sign in."""

    def __init__(self, settings: Settings, brokering: Brokering, encryption: Encryption, outgoing: Outgoing) -> None:
        self._settings = settings
        self._brokering = brokering
        self._encryption = encryption
        self._outgoing = outgoing

    async def configure(self, session: WriteSession, caller: Caller, data: OAuthConfigure) -> OAuthConfiguration:
        """Set a provider up, or change it; Keycloak last, once nothing else can be refused.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: the tenant is another one than the caller's.
            UnprocessableContent: an address is not https, or inside a private network.
        """
        _own(caller, data.tenant_id or caller.tenant_id)
        await self._check_addresses(data.config_data)
        config = await crud.find_config(session, caller.tenant_id, data.provider, for_update=True)
        is_new = config is None
        config = config or TenantOAuthConfig(tenant_id=caller.tenant_id, provider=data.provider)
        config.client_id, config.enabled = data.client_id, data.enabled
        config.allowed_domains, config.auto_create_users = data.allowed_domains or [], data.auto_create_users
        config.enforced, config.config_data = data.config_data.enforced, config_data(data.config_data)
        seal(self._encryption, config, TenantOAuthConfig.client_secret_encrypted, data.client_secret)
        session.add(config)
        await session.flush()
        if is_new:
            self._take_back_on_failure(session, caller.realm, data.provider)
        access = await find_access(session, self._encryption, tenant_id=caller.tenant_id)
        assert access is not None
        await self._brokering.ensure_client(access.client)
        await self._brokering.ensure_provider(caller.realm, _representation(config, data.client_secret))
        return OAuthConfiguration.model_validate(config)

    async def _check_addresses(self, data: ConfigData) -> None:
        """Refuse addresses inside our own walls, which Keycloak would follow; a host may come to be later."""
        for name, address in data.addresses().items():
            try:
                await self._outgoing.check(address)
            except UnknownHost:
                continue
            except ForbiddenAddress as error:
                raise UnprocessableContent(str(error), param=f"configData.{name}") from error

    def _take_back_on_failure(self, session: WriteSession, realm: str, provider: str) -> None:
        async def take_back() -> None:
            await self._brokering.remove_provider(realm, provider)

        after_rollback(session, take_back)

    async def list_configurations(
        self, session: ReadSession, caller: Caller, tenant_id: UUID
    ) -> list[OAuthConfiguration]:
        """Return the tenant's providers, without their secrets; `NotFound` for another tenant than the caller's."""
        _own(caller, tenant_id)
        return [OAuthConfiguration.model_validate(config) for config in await crud.configs(session, tenant_id)]

    async def disable(
        self, session: WriteSession, caller: Caller, tenant_id: UUID, provider: OAuthProvider
    ) -> OAuthConfiguration:
        """Let nobody in by the provider any more; links stay. `NotFound` where it is not set up."""
        _own(caller, tenant_id)
        config = await crud.find_config(session, tenant_id, provider, for_update=True)
        if config is None:
            raise NotFound("The provider is not configured")
        config.enabled = False
        await session.flush()
        await self._brokering.disable_provider(caller.realm, provider)
        return OAuthConfiguration.model_validate(config)

    async def refresh(self, session: ReadSession) -> None:
        """Have the clients of all tenants with a provider lead back to the present address of the service."""
        for tenant_id in await crud.tenants_with_providers(session):
            access = await find_access(session, self._encryption, tenant_id=tenant_id)
            if access is not None:
                await self._brokering.ensure_client(access.client)

    async def offered(self, session: ReadSession, *, realm: str | None, tenant_id: UUID | None) -> OfferedProviders:
        """Return what the sign-in page of a tenant shows.

        Raises:
            NotFound: there is no such tenant, or it is disabled.
        """
        found = await find_id(session, realm=realm or self._settings.default_realm_name, tenant_id=tenant_id)
        if found is None:
            raise NotFound("Tenant not found")
        enabled: Sequence[TenantOAuthConfig] = [c for c in await crud.configs(session, found) if c.enabled]
        return OfferedProviders(tenant_id=found, providers=[_offer(config) for config in enabled])


async def enabled_config(session: ReadSession, tenant_id: UUID, provider: OAuthProvider) -> TenantOAuthConfig | None:
    """Return how people of the tenant sign in at the provider, if they can."""
    config = await crud.find_config(session, tenant_id, provider)
    return config if config is not None and config.enabled else None


async def link(session: WriteSession, tenant_id: UUID, user_id: UUID, provider: str, external_id: str) -> None:
    """Note what the provider calls the user.

    Raises:
        Conflict: the provider calls another user of the tenant so.
    """
    known = await crud.find_link(session, user_id, provider)
    known = known or UserOAuthProvider(tenant_id=tenant_id, user_id=user_id, provider=provider)
    known.external_id = external_id
    session.add(known)
    with conflict_on(_EXTERNAL_ID, Conflict("This account at the provider is another user's here")):
        await session.flush()


async def purge(database: Database) -> None:
    """Delete what replicas of an earlier version left."""
    await crud.purge(database)


async def password_allowed(session: ReadSession, tenant_id: UUID, email: str) -> bool:
    """Tell whether somebody with this address may sign in with a password."""
    return not await crud.is_enforced(session, tenant_id, email.rpartition("@")[2])


async def own_tenant(_session: ReadSession, caller: Caller, tenant_id: UUID) -> None:
    """Ask the same as the routes of one tenant's providers do."""
    _own(caller, tenant_id)


def _own(caller: Caller, tenant_id: UUID) -> None:
    """Let administrators at their own tenant's providers; whoever sets one up can come in as anybody it vouches for."""
    administers = caller.custom_role is None and caller.role in {UserRole.ADMIN, UserRole.SUPER_ADMIN}
    if not administers or not caller.scopes.issuperset(ROLE_SCOPES[UserRole.ADMIN]):
        raise Forbidden("Only administrators whose permissions are not restricted can do this")
    if tenant_id != caller.tenant_id:
        raise NotFound("Tenant not found")


def _offer(config: TenantOAuthConfig) -> OfferedProvider:
    provider = OAuthProvider(config.provider)
    name = ConfigData.model_validate(config.config_data).display_name or _NAMES[provider]
    return OfferedProvider(provider=provider, display_name=name)


def _representation(config: TenantOAuthConfig, secret: str) -> IdentityProvider:
    provider, data = OAuthProvider(config.provider), ConfigData.model_validate(config.config_data)
    more: dict[str, str] = {}
    if provider is OAuthProvider.OIDC:
        checked = {"validateSignature": "true", "useJwksUrl": "true", "pkceEnabled": "true", "pkceMethod": "S256"}
        more = data.addresses() | checked
    elif provider is OAuthProvider.MICROSOFT and data.directory:
        more = {"tenantId": data.directory}
    return IdentityProvider(
        alias=provider,
        kind=_KINDS[provider],
        client_id=config.client_id,
        client_secret=secret,
        enabled=config.enabled,
        config=more,
    )


ProvidersDep = Annotated[Providers, provided(Providers)]
