"""The scopes, and what each built-in role holds."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Scope(StrEnum):
    """What a caller may be allowed to do, as `module:action`."""

    MODEL_VIEW = "model:view"
    MODEL_MANAGE = "model:manage"
    MODEL_BENCHMARK = "model:benchmark"
    PROJECT_VIEW = "project:view"
    PROJECT_MANAGE = "project:manage"
    ENDPOINT_VIEW = "endpoint:view"
    ENDPOINT_MANAGE = "endpoint:manage"
    CLUSTER_VIEW = "cluster:view"
    CLUSTER_MANAGE = "cluster:manage"
    USER_VIEW = "user:view"
    USER_MANAGE = "user:manage"
    BENCHMARK_VIEW = "benchmark:view"
    BENCHMARK_MANAGE = "benchmark:manage"
    CLIENT_ACCESS = "client:access"
    TENANT_MANAGE = "tenant:manage"


class UserRole(StrEnum):
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"
    DEVELOPER = "developer"
    DEVOPS = "devops"
    TESTER = "tester"


class UserType(StrEnum):
    ADMIN = "admin"
    CLIENT = "client"


PROJECT_SCOPES = (Scope.ENDPOINT_VIEW, Scope.ENDPOINT_MANAGE)
"""What a member may be allowed within one project."""

_OF_A_TENANT = tuple(scope for scope in Scope if scope is not Scope.TENANT_MANAGE)

GLOBAL_SCOPES = tuple(scope for scope in _OF_A_TENANT if scope not in {*PROJECT_SCOPES, Scope.CLIENT_ACCESS})
"""What may be granted to a user for the whole tenant."""

ROLE_GRANTABLE = (*GLOBAL_SCOPES, *PROJECT_SCOPES)
"""What a custom role may hold: it stands in for a built-in role, and those hold endpoint:* for the whole tenant too."""
PLATFORM_SCOPES = frozenset({Scope.TENANT_MANAGE})
"""What the super administrators of the platform's own tenant hold beside all else; nobody can grant it."""

SERVICE_SCOPES = frozenset(_OF_A_TENANT) - {Scope.USER_VIEW, Scope.USER_MANAGE, Scope.CLIENT_ACCESS}
"""What a service account can hold: nothing by which it would get hold of people's rights, or of keys."""

_EVERYDAY = (Scope.MODEL_VIEW, Scope.MODEL_MANAGE, Scope.MODEL_BENCHMARK, Scope.PROJECT_VIEW, Scope.CLUSTER_VIEW)

ROLE_SCOPES: dict[UserRole, tuple[Scope, ...]] = {
    UserRole.SUPER_ADMIN: _OF_A_TENANT,
    UserRole.ADMIN: tuple(scope for scope in _OF_A_TENANT if scope is not Scope.CLIENT_ACCESS),
    UserRole.DEVOPS: (
        Scope.MODEL_VIEW,
        Scope.PROJECT_VIEW,
        Scope.ENDPOINT_MANAGE,
        Scope.CLUSTER_MANAGE,
        Scope.BENCHMARK_MANAGE,
    ),
    UserRole.DEVELOPER: (*_EVERYDAY, Scope.BENCHMARK_MANAGE),
    UserRole.TESTER: (Scope.MODEL_VIEW, Scope.MODEL_BENCHMARK, Scope.PROJECT_VIEW, Scope.BENCHMARK_MANAGE),
}

CLIENT_SCOPES = (Scope.CLIENT_ACCESS, Scope.PROJECT_VIEW, Scope.PROJECT_MANAGE)
"""What a customer's user holds, whatever the role; they only reach projects of their own."""


def with_implied(scopes: Iterable[str]) -> frozenset[str]:
    """Add what the scopes imply: `X:manage` holds `X:view`."""
    held = set(scopes)
    return frozenset(held | {f"{scope.removesuffix(':manage')}:view" for scope in held if scope.endswith(":manage")})


def scopes_implying(scope: str) -> frozenset[str]:
    """Return the scopes by which somebody holds this one: itself, and for `X:view` also `X:manage`."""
    module, _, action = scope.partition(":")
    return frozenset({scope, f"{module}:manage"} if action == "view" else {scope})


def without(scopes: Iterable[str], withdrawn: Collection[str]) -> frozenset[str]:
    """Take what was withdrawn from the scopes; without `X:view` there is no `X:manage`, which holds it."""
    gone = {*withdrawn, *(f"{scope.removesuffix(':view')}:manage" for scope in withdrawn if scope.endswith(":view"))}
    return frozenset(scopes) - gone


Overrides = Mapping[str, bool]
"""What was decided for one person beside the role: scope → whether it was granted to them, or withdrawn from them."""

NO_OVERRIDES: Overrides = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Source:
    """Where scopes come from: a `role`, a `custom role`, being a `client`, or a direct `grant`."""

    kind: str
    name: str
    scopes: Collection[str]


def sources_of(
    role: str, user_type: str, overrides: Overrides = NO_OVERRIDES, custom: Source | None = None
) -> tuple[Source, ...]:
    """Return what a user holds the scopes by, withdrawn ones too; a custom role stands in for the built-in one.

    A client has just one. Grants from before somebody became a client rest until they are none any more.
    """
    if user_type == UserType.CLIENT:
        return (Source("client", "client", CLIENT_SCOPES),)
    granted = tuple(scope for scope, holds in overrides.items() if holds)
    return custom or Source("role", role, ROLE_SCOPES[UserRole(role)]), Source("grant", "grant", granted)


def withdrawn_of(role: str, user_type: str, overrides: Overrides) -> frozenset[str]:
    """Return what was withdrawn from a user; it rests while they are a super administrator or a client."""
    if role == UserRole.SUPER_ADMIN or user_type == UserType.CLIENT:
        return frozenset()
    return frozenset(scope for scope, holds in overrides.items() if not holds)


def scopes_of(
    role: str, user_type: str, overrides: Overrides = NO_OVERRIDES, custom: Source | None = None
) -> frozenset[str]:
    """Return all that a user holds: by role and direct grants, without what was withdrawn; a client's are fixed."""
    sources = sources_of(role, user_type, overrides, custom)
    held = with_implied(scope for source in sources for scope in source.scopes)
    return without(held, withdrawn_of(role, user_type, overrides))


def decide(
    overrides: Overrides, held_by_role: Collection[str], given: Iterable[str], taken: Iterable[str]
) -> dict[str, bool]:
    """Return the overrides with which a user holds what is given and not what is taken.

    What the role holds needs no grant, and only that needs to be withdrawn. What is given wins over what is taken.
    """
    gone = {scope for scope, granted in overrides.items() if not granted}
    known = {*held_by_role, *overrides}
    lacks = known - without(known, gone.union(taken)) - with_implied(given)
    kept = dict.fromkeys(overrides.keys() - gone - lacks, True)
    granted = dict.fromkeys(set(given) - set(held_by_role), True)
    withdrawn = dict.fromkeys(lacks & gone.union(held_by_role), False)
    return kept | granted | withdrawn
