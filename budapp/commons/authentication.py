"""Who calls: found out once for each request, before it reaches a route."""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from budapp.commons.access import access_of, admit_service_account, authenticated
from budapp.commons.error_handlers import FORESEEN, as_app_error, error_response
from budapp.commons.errors import AppError
from budapp.commons.routing import route_index_of

_POLICY_VIOLATION = 1008


class AuthenticationMiddleware:
    """Finds out who calls, and refuses whoever is nobody, but where a route declares that it takes them.

    Service accounts only get to routes that declare that they may call them.

    The outcome is in the scope: `caller`, or `refusal`, which says why there is none. What routes declare in
    `commons/access.py` reads it. Mounted applications, websockets and paths that lead nowhere are for callers only.
    A public route is asked nothing: a token that has expired, or a store that is down, does not fail it.

    Args:
        app: what comes next.
        public_paths: routes that anyone may ask and that can't declare it: the pages of the documentation.
    """

    def __init__(self, app: ASGIApp, public_paths: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._public_paths = public_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "websocket":
            await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
            return
        refusal = await self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await error_response(refusal, scope["path"])(scope, receive, send)

    async def _refusal(self, scope: Scope) -> AppError | None:
        """Return why the request goes no further, if so."""
        request = Request(scope)
        index = route_index_of(request)
        found = index.find(scope)
        routes = [found.route] if found is not None else index.near(scope)
        if any(self._takes_anyone(route, request) for route in routes):
            return None
        try:
            caller = await authenticated(request)
            route = found.route if found is not None else None
            admit_service_account(caller, route, request.client.host if request.client else None)
        except FORESEEN as error:
            if found is not None:
                scope["route"] = found.route
            return as_app_error(error)
        return None

    def _takes_anyone(self, route: Route, request: Request) -> bool:
        access = access_of(route) if isinstance(route, APIRoute) else None
        return route.path in self._public_paths if access is None else not access.asks_for_caller(request)
