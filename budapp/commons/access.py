"""Who calls, and what a route asks of them.

Every route depends on exactly one of `public`, `SignedIn`, `Active`, `Requires`, `RequiresOrPeer` and `internal`;
`check_routes` refuses to start a service with a route that says nothing.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Any, NamedTuple, Protocol
from uuid import UUID

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.errors import AppError, BadRequest, Forbidden, Unauthenticated

_INTERNAL_ONLY = "Only platform services may call this"

Network = IPv4Network | IPv6Network


class CustomRoleName(NamedTuple):
    """The custom role that somebody has, as others are shown it."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in person, as PostgreSQL knew them a few seconds ago at most; or a service account with its key.

    `key_id` and `networks` are the key's: where there are networks, it counts only from addresses in them.
    """

    user_id: UUID
    tenant_id: UUID
    auth_id: str
    session_id: str
    realm: str
    name: str
    email: str
    role: str
    status: str
    user_type: str
    color: str
    company: str | None
    purpose: str | None
    scopes: frozenset[str]
    token_expires_at: datetime
    custom_role: CustomRoleName | None = None
    is_service: bool = False
    key_id: UUID | None = None
    networks: tuple[Network, ...] = ()

    def may(self, scope: str) -> bool:
        """Tell whether the caller holds the scope."""
        return scope in self.scopes

    @property
    def is_client(self) -> bool:
        """Tell whether this is a customer's user, who only ever sees what they take part in."""
        return self.user_type == "client"


class Authenticator(Protocol):
    """Finds the caller behind an access token, or behind the key of a service account."""

    async def authenticate(self, token: str) -> Caller:
        """Return the caller.

        Raises:
            Unauthenticated: the token or key is not one of ours, has expired, or its session, user or account is out.
            TooManyRequests: the key was refused too often.
            Unavailable: a store that must be asked is down.
        """
        ...

    async def stand_for(self, user_id: UUID) -> Caller:
        """Return the user as a caller, for a service of the platform that acts for them.

        Raises:
            NotFound: no such user, or they or their tenant are out.
            Unavailable: a store that must be asked is down.
        """
        ...


RowRule = Callable[[Any, Caller, UUID], Awaitable[object]]
"""What a route's service asks about the row in the path, called with a session: raises `NotFound` or `Forbidden`."""


class Access:
    """What a route asks of its caller; the base of the four kinds.

    Args:
        row: the very function by which the route's service finds out whether the row in the path is in the caller's
            reach, for explaining it; the service itself enforces it.
    """

    kind: str
    scope: str | None = None
    parameters: frozenset[str] = frozenset()
    """Query parameters that it reads itself."""

    def __init__(self, *, row: RowRule | None = None) -> None:
        self.row = row

    async def __call__(self, request: Request) -> object:
        """Let the request pass, or raise."""
        raise Forbidden

    def asks_for_caller(self, request: Request) -> bool:
        """Tell whether the request goes no further unless a person is signed in."""
        return True

    def admit(self, caller: Caller) -> None:
        """Let the signed-in caller pass, or raise `Forbidden`."""
        raise Forbidden


class _OpenToServiceAccounts:
    """Says that service accounts may call a route with their keys; what it asks of callers it asks of them too."""

    async def __call__(self) -> None:
        """Do nothing: the declaration is read before the route is reached."""


service_accounts_may = Depends(_OpenToServiceAccounts())
"""In the `dependencies` of a route or a router: service accounts may call it. Without it, none may."""


def takes_service_accounts(route: object) -> bool:
    """Tell whether the route declares that service accounts may call it."""
    dependencies = route.dependant.dependencies if isinstance(route, APIRoute) else []
    return any(isinstance(one.call, _OpenToServiceAccounts) for one in dependencies)


def admit_service_account(caller: Caller, route: object, address: str | None) -> None:
    """Let people pass, and service accounts where the route takes them and their key counts at the address.

    Raises:
        Forbidden: the route takes none, or the address is in none of the key's networks.
    """
    if not caller.is_service:
        return
    if not takes_service_accounts(route):
        raise Forbidden("Service accounts can't call this; sign in as a person")
    if caller.networks and not _is_within(address, caller.networks):
        raise Forbidden("The API key does not count from this address")


def _is_within(address: str | None, networks: Iterable[Network]) -> bool:
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    return any(found in network for network in networks)


async def authenticated(request: Request) -> Caller:
    """Return the signed-in caller of the request, found once; the outcome is in the scope, as `caller` or `refusal`.

    Raises:
        Unauthenticated: there is no valid access token.
        Unavailable: a store that must be asked is down.
    """
    scope = request.scope
    found: Caller | None = scope.get("caller")
    if found is not None:
        return found
    if "refusal" not in scope:
        try:
            scope["caller"] = caller = await _caller_of_token(request)
        except AppError as error:
            scope["refusal"] = error
        else:
            return caller
    raise scope["refusal"]


async def _caller_of_token(request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    return await components_of(request)[Authenticator].authenticate(token.strip())


def require_password_set(caller: Caller) -> None:
    """Raise `Forbidden`, naming the route, where the caller was invited and has set no password of their own yet."""
    if caller.status != "active":
        raise Forbidden(f"Set your own password first: PATCH /users/{caller.user_id}", param="password")


class Public(Access):
    """Anyone may call the route."""

    kind = "public"

    async def __call__(self, request: Request) -> None:
        """Let everyone pass."""

    def asks_for_caller(self, request: Request) -> bool:
        """Ask for nobody."""
        return False

    def admit(self, caller: Caller) -> None:
        """Let everyone pass."""


class SignedInAccess(Access):
    """Anyone who is signed in may call the route; an invited one too, so that they can set their password."""

    kind = "signed in"

    async def __call__(self, request: Request) -> Caller:
        """Return the caller, or raise `Unauthenticated`."""
        return await authenticated(request)

    def admit(self, caller: Caller) -> None:
        """Let everyone pass who is signed in."""


class ActiveAccess(SignedInAccess):
    """Anyone who is signed in and has set a password of their own may call the route.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the caller was invited and has set no password yet.
    """

    async def __call__(self, request: Request) -> Caller:
        """Return the caller, or raise."""
        caller = await super().__call__(request)
        self.admit(caller)
        return caller

    def admit(self, caller: Caller) -> None:
        """Let those pass who are active."""
        require_password_set(caller)


class Requires(Access):
    """Only a caller who holds the scope may call the route.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the caller lacks the scope; the message names it.
    """

    kind = "permission"

    def __init__(self, scope: str, *, row: RowRule | None = None) -> None:
        super().__init__(row=row)
        self.scope: str = scope

    async def __call__(self, request: Request) -> Caller:
        """Return the caller, or raise."""
        caller = await authenticated(request)
        self.admit(caller)
        return caller

    def admit(self, caller: Caller) -> None:
        """Let those pass who are active and hold the scope."""
        require_password_set(caller)
        if self.scope not in caller.scopes:
            raise Forbidden(f"Permission required: {self.scope}")


class RequiresOrPeer(Requires):
    """A caller who holds the scope may call the route, and so may a service of the platform that acts for one.

    A service carries the app token in place of an access token, and names the user as `user_id` in the query; where it
    names none, it acts for `SYSTEM_USER_ID`. It may do what that user may.

    Raises:
        BadRequest: it names nobody.
        NotFound: it names somebody who is not there.
    """

    parameters = frozenset({"user_id"})

    def asks_for_caller(self, request: Request) -> bool:
        """Ask for nobody where a service comes by itself."""
        return "authorization" in request.headers or not _carries_app_token(request)

    async def __call__(self, request: Request) -> Caller:
        """Return the caller, or raise."""
        if not self.asks_for_caller(request):
            authenticator = components_of(request)[Authenticator]
            request.scope["caller"] = await authenticator.stand_for(_user_named(request))
        return await super().__call__(request)


class InternalAccess(Access):
    """Only our own sidecar may call the route: it carries the app token.

    Raises:
        Forbidden: the header is missing or wrong.
    """

    kind = "internal"

    def asks_for_caller(self, request: Request) -> bool:
        """Ask for the app token instead."""
        return False

    async def __call__(self, request: Request) -> None:
        """Let the sidecar pass, or raise."""
        if not _carries_app_token(request):
            raise Forbidden(_INTERNAL_ONLY)

    def admit(self, caller: Caller) -> None:
        """Let nobody pass who comes as a person."""
        raise Forbidden(_INTERNAL_ONLY)


def _carries_app_token(request: Request) -> bool:
    expected = components_of(request)[Settings].app_api_token.get_secret_value()
    headers = (request.headers.get("dapr-api-token"), request.headers.get("x-app-api-token"))
    matches = [secrets.compare_digest((sent or "").encode(), expected.encode()) for sent in headers]
    return any(matches)


def _user_named(request: Request) -> UUID:
    named = request.query_params.get("user_id") or components_of(request)[Settings].system_user_id
    if named is None:
        raise BadRequest("The X-User-Id header is required", param="user_id")
    try:
        return UUID(str(named))
    except ValueError as error:
        raise BadRequest("The X-User-Id header is not a user id", param="user_id") from error


def access_token(request: Request) -> str:
    """Return the access token of whoever calls, for a service that asks for it; empty where there is none."""
    return request.headers.get("authorization", "").partition(" ")[2].strip()


Token = Annotated[str, Depends(access_token)]
"""The access token of whoever calls, to be passed on."""

public = Depends(Public())
SignedIn = Annotated[Caller, Depends(SignedInAccess())]
Active = Annotated[Caller, Depends(ActiveAccess())]
internal = Depends(InternalAccess())


def access_of(route: APIRoute) -> Access | None:
    """Return what the route asks of its caller, or None where it does not say, or says it twice."""
    found = [dependency.call for dependency in route.dependant.dependencies if isinstance(dependency.call, Access)]
    return found[0] if len(found) == 1 else None


def row_parameter(route: APIRoute) -> str | None:
    """Return the parameter of the path that names the row which the route is about: the first one that is an id."""
    return next((name for name in route.param_convertors if name.endswith("_id")), None)


def api_routes(app: FastAPI) -> list[APIRoute]:
    """Return the application's own routes, those of included routers too."""
    found = (context.original_route for context in iter_route_contexts(app.routes))
    return [route for route in found if isinstance(route, APIRoute)]


def check_routes(routes: Iterable[APIRoute]) -> None:
    """Refuse routes that do not say who may call them.

    Raises:
        RuntimeError: the route's name is in the message.
    """
    for route in routes:
        if access_of(route) is None:
            raise RuntimeError(f"{route.methods} {route.path} must declare its access exactly once")
