"""The tenant of the platform itself, and who can sign in first."""

from budapp.commons.config import Settings
from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.commons.encryption import Encryption
from budapp.integrations.keycloak import Keycloak
from budapp.tenant_ops import services as tenants
from budapp.user_ops.accounts import ensure_administrator


async def ensure_default_tenant(session: WriteSession, components: Components) -> None:
    """Create the default tenant with its realm, client and super administrator.

    The administrator's password is set when the account is created, and never again.
    """
    settings, keycloak = components[Settings], components[Keycloak]
    tenant = await tenants.ensure_tenant(
        session,
        keycloak,
        components[Encryption],
        name="Default",
        realm=settings.default_realm_name,
        client_id=settings.default_client_name,
        is_platform=True,
    )
    await ensure_administrator(
        session,
        keycloak,
        tenant_id=tenant.id,
        realm=tenant.realm_name,
        email=settings.super_user_email.lower(),
        password=settings.super_user_password.get_secret_value(),
    )
