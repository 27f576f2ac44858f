"""From a person's row to a caller: the one place that says who is let in, and with what."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from budapp.commons.access import Caller, CustomRoleName, Network
from budapp.commons.scopes import (
    NO_OVERRIDES,
    PLATFORM_SCOPES,
    SERVICE_SCOPES,
    Overrides,
    Scope,
    Source,
    UserRole,
    scopes_of,
    sources_of,
    with_implied,
    withdrawn_of,
    without,
)
from budapp.user_ops.models import ServiceRights, User


def held_by(user: User, overrides: Overrides = NO_OVERRIDES) -> frozenset[str]:
    """Return all that the person holds, by role or custom role and by what was decided for them."""
    if user.service_rights is not None:
        return with_implied(scope for source in sources_for(user, overrides) for scope in source.scopes)
    return scopes_of(user.role, user.user_type, overrides, user.custom_source())


def sources_for(user: User, overrides: Overrides, *, of_platform: bool = False) -> tuple[Source, ...]:
    """Return what the person holds their scopes by; `of_platform`: in the platform's own tenant."""
    if user.service_rights == ServiceRights.PROJECTS:
        return (Source("service account", user.name, (Scope.PROJECT_VIEW,)),)
    sources = sources_of(user.role, user.user_type, overrides, user.custom_source())
    if user.service_rights is not None:
        return tuple(replace(one, scopes=SERVICE_SCOPES & with_implied(one.scopes)) for one in sources)
    if of_platform and user.role == UserRole.SUPER_ADMIN:
        return *sources, Source("role", "super_admin of the platform's own tenant", PLATFORM_SCOPES)
    return sources


def caller_of(
    user: User,
    *,
    realm: str,
    session_id: str,
    token_expires_at: datetime,
    overrides: Overrides = NO_OVERRIDES,
    of_platform: bool = False,
    key_id: UUID | None = None,
    networks: tuple[Network, ...] = (),
) -> Caller:
    """Return the person, or the service account that comes with a key, as a caller with all that they hold.

    See `sources_for`.
    """
    sources = sources_for(user, overrides, of_platform=of_platform)
    held = with_implied(scope for source in sources for scope in source.scopes)
    role = user.custom_role
    return Caller(
        user_id=user.id,
        tenant_id=user.tenant_id,
        auth_id=user.auth_id,
        session_id=session_id,
        realm=realm,
        name=user.name,
        email=user.email,
        role=user.role,
        status=user.status,
        user_type=user.user_type,
        color=user.color,
        company=user.company,
        purpose=user.purpose,
        scopes=without(held, withdrawn_of(user.role, user.user_type, overrides)),
        token_expires_at=token_expires_at,
        custom_role=CustomRoleName(role.id, role.name) if role is not None else None,
        is_service=user.service_rights is not None,
        key_id=key_id,
        networks=networks,
    )
