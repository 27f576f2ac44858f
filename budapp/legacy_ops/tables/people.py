"""Tenants, and the people in them."""

import json
import re
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic import TypeAdapter, ValidationError

from budapp.commons.schemas import Email
from budapp.commons.scopes import GLOBAL_SCOPES, ROLE_SCOPES, UserRole, UserType, with_implied
from budapp.legacy_ops.declarations import (
    OLDEST,
    Left,
    Move,
    NoHome,
    Old,
    Ref,
    Row,
    Value,
    color_of,
    column,
    constant,
    id_of,
)
from budapp.legacy_ops.realm_rights import IN_KEYCLOAK
from budapp.oauth_ops.models import TenantOAuthConfig, UserOAuthProvider
from budapp.oauth_ops.schemas import ConfigData, OAuthProvider, config_data
from budapp.tenant_ops.models import Tenant, TenantClient
from budapp.user_ops.models import User, UserPermission

_KNOWN_DATA = {"directory", "display_name", "displayName"}
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)

PLATFORM_TENANT = (
    "(select p.id from public.tenant p where p.realm_name = current_setting('legacy.realm') order by p.id limit 1)"
)
"""The platform's own tenant in the old database."""


_JOIN_TENANT = (
    "left join (select distinct on (m.user_id) m.user_id, m.tenant_id from public.tenant_user_mapping m"
    " order by m.user_id, m.created_at, m.id) first on first.user_id = {user}"
    " left join public.tenant home on home.id = coalesce(first.tenant_id, {platform})"
)


_JOIN_GRANTED = (
    "left join (select p.user_id, string_agg(p.scopes, ',' order by p.created_at) as scopes"
    " from public.permission p group by p.user_id) granted on granted.user_id = t.id"
)


def join_tenant(user: str) -> str:
    """Return SQL that joins, as `home`, the tenant of a user: the first they were put into, or the platform's own."""
    return _JOIN_TENANT.format(user=user, platform=PLATFORM_TENANT)


def _email(old: Old) -> str:
    try:
        return _EMAIL.validate_python(old["email"])
    except ValidationError:
        raise Left("its email is no e-mail address") from None


def _role(old: Old) -> str:
    return UserRole.SUPER_ADMIN if old["is_superuser"] else str(old["role"])


def _user_type(old: Old) -> str:
    return UserType.ADMIN if old["is_superuser"] else str(old["user_type"])


def _first_mapping(old: Old) -> None:
    user = old.ref("user_id")
    tenant = old.ref("tenant_id")
    if user is not None and tenant is not None and user["tenant_id"] != tenant["id"]:
        raise Left("a user belongs to one tenant here, and this one came with another")


def scopes_in(text: str) -> list[str]:
    """Return the scopes that a text holds: JSON, or parted by commas or spaces."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    names = found if isinstance(found, list) else re.split(r"[\s,;]+", text.strip("[]{} "))
    return list(dict.fromkeys(str(name).strip("'\"") for name in names if str(name).strip("'\"")))


def _overrides(old: Old) -> list[Row]:
    """Return what was decided for somebody beside their role.

    Where Keycloak has been read, they hold exactly what they held there; else what the role holds, and the old table.
    """
    user = old.ref("id")
    if user is None or user["user_type"] == UserType.CLIENT or user["role"] == UserRole.SUPER_ADMIN:
        return []  # what they hold is the same for all of them
    role = with_implied(ROLE_SCOPES[UserRole(user["role"])])
    rights = old.context.rights.get(old["realm"])
    if rights is None:
        return [_override(old, scope, granted=True) for scope in sorted(_in_table(old) - role)]
    held = rights.people.get(user["auth_id"], frozenset())
    granted = [_override(old, scope, granted=True) for scope in sorted(held - role)]
    return granted + [_override(old, scope, granted=False) for scope in sorted((role & IN_KEYCLOAK) - held)]


def _in_table(old: Old) -> frozenset[str]:
    named = scopes_in(old["scopes"] or "")
    for scope in named:
        if scope not in GLOBAL_SCOPES:
            old.remark(f"without {scope[:50]}, which can't be granted here")
    return with_implied(scope for scope in named if scope in GLOBAL_SCOPES)


def _override(old: Old, scope: str, *, granted: bool) -> Row:
    return {"id": uuid5(NAMESPACE_OID, f"{old['id']}:{scope}"), "scope": scope, "granted": granted}


def _client_secret(name: str) -> Value:
    return lambda old: old.secret(old[name])


def _known_provider(old: Old) -> None:
    if old["provider"] not in set(OAuthProvider):
        raise Left(f"there is no provider {str(old['provider'])[:50]!r} to sign in at here")


def _config_data(old: Old) -> dict[str, Any]:
    """Return of what the provider needs beside the client what is known here."""
    found = old["config_data"] if isinstance(old["config_data"], dict) else {}
    known = {name: value for name, value in found.items() if name in _KNOWN_DATA}
    try:
        return config_data(ConfigData.model_validate(known))
    except ValidationError:
        old.remark("without its config_data: set it up anew")
        return {}


def _is_enabled(old: Old) -> bool:
    if old["provider"] == OAuthProvider.MICROSOFT and "directory" not in _config_data(old):
        old.remark("disabled: it says of no directory that it is the company's; set it up anew")
        return False
    return old["enabled"] is not False


def _auth_id(old: Old) -> str:
    found: UUID = old["auth_id"]
    return str(found)


MOVES = (
    Move(
        "tenant",
        Tenant,
        order=OLDEST,
        columns={"is_platform": lambda old: old["realm_name"] == old.context.realm},
        natural=("realm_name",),
    ),
    Move(
        "tenant_clients",
        TenantClient,
        order=OLDEST,
        refs={"tenant_id": Ref("tenant")},
        columns={"client_secret_encrypted": _client_secret("client_secret")},
        natural=("tenant_id",),
    ),
    Move(
        "user",
        User,
        order=OLDEST,
        refs={"tenant_id": Ref("tenant")},
        extra={"tenant_id": "home.id"},
        joins=join_tenant("t.id"),
        columns={
            "auth_id": _auth_id,
            "email": _email,
            "color": lambda old: color_of(old["color"]),
            "role": _role,
            "user_type": _user_type,
            "tenant_id": id_of("tenant_id"),
        },
        natural=("auth_id",),
    ),
    Move(
        "tenant_user_mapping",
        User,
        order=OLDEST,
        refs={"tenant_id": Ref("tenant"), "user_id": Ref("user")},
        check=_first_mapping,
        into="user_id",
    ),
    Move(
        "user",
        UserPermission,
        part="rights",
        refs={"id": Ref("user", ("role", "user_type", "auth_id"))},
        tenant="id",
        extra={"scopes": "granted.scopes", "realm": "home.realm_name"},
        joins=" ".join((join_tenant("t.id"), _JOIN_GRANTED)),
        columns={"user_id": id_of("id")},
        rows=_overrides,
    ),
    Move("permission", User, refs={"user_id": Ref("user")}, into="user_id"),
    Move(
        "tenant_oauth_configs",
        TenantOAuthConfig,
        order=OLDEST,
        refs={"tenant_id": Ref("tenant")},
        columns={
            "client_secret_encrypted": _client_secret("client_secret_encrypted"),
            "tenant_id": id_of("tenant_id"),
            "enforced": constant(False),
            "config_data": _config_data,
            "enabled": _is_enabled,
        },
        check=_known_provider,
        natural=("tenant_id", "provider"),
    ),
    Move(
        "user_oauth_providers",
        UserOAuthProvider,
        order=OLDEST,
        refs={"user_id": Ref("user")},
        tenant="user_id",
        columns={"linked_at": column("linked_at")},
        natural=("user_id", "provider"),
    ),
)

NO_HOME = (
    NoHome("oauth_sessions", "sign-ins that were under way end with the former service; people begin anew"),
    NoHome("token", "tokens are Keycloak's; the former service did not use this table either"),
)
