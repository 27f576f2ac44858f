"""From a person's row to a caller: the one place that says who is let in, and with what."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select

from budapp.commons.access import Caller, CustomRoleName
from budapp.commons.scopes import PLATFORM_SCOPES, Source, UserRole, scopes_of, sources_of, with_implied
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import User, UserPermission, UserStatus

ADMITTED = and_(User.status != UserStatus.DELETED, Tenant.is_active)
"""The condition for people who may sign in."""


def people() -> Select[Any]:
    """Return the select of all people: `User`, the scopes `granted`, their tenant, whether they are `admitted`."""
    granted = select(func.array_agg(UserPermission.scope)).where(UserPermission.user_id == User.id).scalar_subquery()
    of_tenant = (Tenant.realm_name, Tenant.is_platform, Tenant.is_active.label("tenant_active"))
    statement = select(User, granted.label("granted"), *of_tenant, ADMITTED.label("admitted"))
    return statement.join(Tenant, Tenant.id == User.tenant_id)


def held_by(user: User, granted: Iterable[str] = ()) -> frozenset[str]:
    """Return all that the person holds, by role, custom role and the grants given."""
    return scopes_of(user.role, user.user_type, granted, user.custom_source())


def sources_for(user: User, granted: Iterable[str], *, of_platform: bool = False) -> tuple[Source, ...]:
    """Return what the person holds their scopes by; `of_platform`: in the platform's own tenant."""
    sources = sources_of(user.role, user.user_type, granted, user.custom_source())
    if of_platform and user.role == UserRole.SUPER_ADMIN:
        return *sources, Source("role", "super_admin of the platform's own tenant", PLATFORM_SCOPES)
    return sources


def caller_of(
    user: User,
    *,
    realm: str,
    session_id: str,
    token_expires_at: datetime,
    granted: Iterable[str] = (),
    of_platform: bool = False,
) -> Caller:
    """Return the person as a caller, with all that roles and grants hold; see `sources_for`."""
    sources = sources_for(user, granted, of_platform=of_platform)
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
        scopes=with_implied(scope for source in sources for scope in source.scopes),
        token_expires_at=token_expires_at,
        custom_role=CustomRoleName(role.id, role.name) if role is not None else None,
    )
