"""Columns that lists of people share, here and in the domains above."""

from typing import Any

from sqlalchemy import Select, and_, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import CustomRole, User, UserPermission, UserStatus

CUSTOM_ROLE = (
    select(func.jsonb_build_object(literal_column("'id'"), CustomRole.id, literal_column("'name'"), CustomRole.name))
    .where(CustomRole.id == User.custom_role_id)
    .correlate(User)
    .scalar_subquery()
    .label("custom_role")
)
"""Id and name of the person's custom role, or null."""

PRESENT = User.status != literal_column(f"'{UserStatus.DELETED}'")
"""The condition for people who are not deleted, spelled out so that indexes on them serve prepared statements."""

PERSON = User.service_rights.is_(None)
"""The condition for people, rather than service accounts."""

ADMITTED = and_(User.status != UserStatus.DELETED, Tenant.is_active)
"""The condition for people who may sign in."""


def people() -> Select[Any]:
    """Return the select of all people: `User`, their `overrides`, their tenant, whether they are `admitted`."""
    by_scope = func.jsonb_object_agg(UserPermission.scope, UserPermission.granted, type_=JSONB)
    overrides = select(by_scope).where(UserPermission.user_id == User.id).scalar_subquery()
    decided = func.coalesce(overrides, literal({}, JSONB)).label("overrides")
    of_tenant = (Tenant.realm_name, Tenant.is_platform, Tenant.is_active.label("tenant_active"))
    columns: list[Any] = [User, decided, *of_tenant, ADMITTED.label("admitted")]
    return select(*columns).join(Tenant, Tenant.id == User.tenant_id)
