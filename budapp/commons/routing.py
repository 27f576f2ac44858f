"""Which route answers a request, found by the segments of its path: as fast among a thousand routes as among ten.

FastAPI asks one route after the other, and the first that fits answers. Here their order means nothing: a literal
segment wins over a parameter and a parameter over `{path:path}`, from left to right. A slash more or less at the end of
a path makes no difference, unless both are routes.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import PARAM_REGEX, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from budapp.commons.errors import MethodNotAllowed, NotFound

_FOUND = "budapp.found_route"
_VERSION_PREFIX = "/v1"


def unversioned(path: str) -> str:
    """Return the path without its version: `/v1/...` and, for clients that know no version, the bare path are alike."""
    return path.removeprefix(_VERSION_PREFIX) if path.startswith(f"{_VERSION_PREFIX}/") else path


class _Entry(NamedTuple):
    """A route in the index: how it reads a path, and what answers."""

    route: Route
    matches: Callable[[Scope], tuple[Match, Scope]]
    app: Callable[[Scope, Receive, Send], Awaitable[None]]


class Found(NamedTuple):
    """The route that answers a request, and what goes into the scope for it."""

    route: Route
    app: Callable[[Scope, Receive, Send], Awaitable[None]]
    child_scope: Scope


_ByMethod = dict[str, _Entry]


class _Node:
    """What begins with the same segments; shapes of parameters come the longest first, as they say the most."""

    __slots__ = ("by_method", "literals", "parameters", "rests")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameters: dict[str, _Node] = {}
        self.rests: dict[str, _ByMethod] = {}
        self.by_method: _ByMethod = {}

    def place(self, segments: Sequence[str]) -> _ByMethod:
        """Return where the routes with these segments are kept."""
        if not segments:
            return self.by_method
        first, *others = segments
        if "{" not in first:
            return self.literals.setdefault(first, _Node()).place(others)
        if "{:path}" in first:
            self.rests = _longest_first(self.rests | {"/".join(segments): self.rests.get("/".join(segments), {})})
            return self.rests["/".join(segments)]
        self.parameters = _longest_first({first: _Node()} | self.parameters)
        return self.parameters[first].place(others)

    def fitting(self, segments: Sequence[str], position: int = 0) -> Iterator[_ByMethod]:
        """Yield the routes that may fit, the most specific first."""
        if position == len(segments):
            yield self.by_method
        else:
            literal = self.literals.get(segments[position])
            if literal is not None:
                yield from literal.fitting(segments, position + 1)
            for node in self.parameters.values():
                yield from node.fitting(segments, position + 1)
        yield from self.rests.values()


def _longest_first(by_shape: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(by_shape.items(), key=lambda item: -len(item[0])))


class RouteIndex:
    """Stands before the application's router and hands requests to their routes; made once all routes are there.

    Mounted applications and websockets are FastAPI's as ever. `limits` of forms count where a route declares them.

    Args:
        app: the application whose routes are indexed; `app.state.routes` is the index from then on.

    Raises:
        RuntimeError: two routes answer the same paths and methods.
    """

    def __init__(self, app: FastAPI) -> None:
        self._root = _Node()
        self._others: list[RouteContext] = []
        self._router = app.router
        self._fastapi: ASGIApp = app.router.app
        for context in iter_route_contexts(app.routes):
            if isinstance(context.original_route, Route) and context.methods:
                self._add(context, context.original_route)
            else:
                self._others.append(context)

    @classmethod
    def install(cls, app: FastAPI) -> None:
        """Index the routes of the application, and have it match by the index."""
        app.state.routes = app.router.middleware_stack = cls(app)

    def _add(self, context: RouteContext, route: Route) -> None:
        shape = PARAM_REGEX.sub(lambda found: "{" + (found[2] or "") + "}", context.path or "")
        by_method = self._root.place(shape.split("/")[1:])
        for method in context.methods or ():
            if method in by_method:
                raise RuntimeError(
                    f"{method} {context.path} and {by_method[method].route.path} are the same to clients"
                )
            by_method[method] = _Entry(route, context.matches, context.app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self.find(scope)
        if found is not None:
            scope.setdefault("router", self._router)
            scope.update(found.child_scope, route=found.route)
            await found.app(scope, receive, send)
        elif scope["type"] != "http" or any(other.matches(scope)[0] is Match.FULL for other in self._others):
            await self._fastapi(scope, receive, send)
        else:
            self._refuse(scope)

    def find(self, scope: Scope) -> Found | None:
        """Return the route that answers the request, looked up once per request; None where none does."""
        if _FOUND not in scope:
            scope[_FOUND] = self._find(scope) if scope["type"] == "http" else None
        found: Found | None = scope[_FOUND]
        return found

    def route_of(self, method: str, path: str) -> APIRoute | None:
        """Return the API route that the method and path, without its version, lead to."""
        found = self._find({"type": "http", "method": method, "path": path})
        return found.route if found is not None and isinstance(found.route, APIRoute) else None

    def _find(self, scope: Scope) -> Found | None:
        return self._at(scope) or self._at(_slashed(scope))

    def _at(self, scope: Scope) -> Found | None:
        for by_method in self._fitting(scope):
            entry = by_method.get(scope["method"])
            if entry is not None:
                match, child_scope = entry.matches(scope)
                if match is Match.FULL:
                    return Found(entry.route, entry.app, child_scope)
        return None

    def _fitting(self, scope: Scope) -> Iterator[_ByMethod]:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return self._root.fitting(path.split("/")[1:])

    def _answering(self, scope: Scope) -> Iterable[tuple[str, Route]]:
        """Yield the methods that the path takes, with their routes, the most specific first."""
        for by_method in self._fitting(scope):
            for method, entry in by_method.items():
                if entry.matches({**scope, "method": method})[0] is Match.FULL:
                    yield method, entry.route

    def near(self, scope: Scope) -> list[Route]:
        """Return the routes that take the path with another method, or with a slash more or less at its end."""
        return [route for path in (scope, _slashed(scope)) for _, route in self._answering(path)]

    def _refuse(self, scope: Scope) -> NoReturn:
        allowed = {**dict(self._answering(_slashed(scope))), **dict(self._answering(scope))}
        if allowed:
            scope["route"] = next(iter(allowed.values()))
            raise MethodNotAllowed(allowed)
        raise NotFound


def route_index_of(app: Request | FastAPI) -> RouteIndex:
    """Return the index of the application, or of the one that handles the request."""
    application = app.app if isinstance(app, Request) else app
    index: RouteIndex = application.state.routes
    return index


def _slashed(scope: Scope) -> dict[str, Any]:
    """Return the scope with a slash at the end of the path, or without where there is one."""
    path = scope["path"]
    return {**scope, "path": (path.rstrip("/") or path) if path.endswith("/") else f"{path}/"}
