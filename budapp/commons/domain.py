"""What a domain brings to the service, as plain data, and the objects that live as long as the process.

Each package has a `domain.py` with one `Domain`; `budapp/domains.py` lists the packages. Nothing registers itself by
being imported.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from typer import Typer

from budapp.commons.config import Settings
from budapp.commons.hooks import Hooks, Registration
from budapp.commons.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from budapp.commons.database import WriteSession
    from budapp.commons.jobs import Job

logger = get_logger(__name__)

T = TypeVar("T")

EventHandler = Callable[["WriteSession", Any], Awaitable[None]]
Seed = Callable[["WriteSession", "Components"], Awaitable[None]]


class WorkflowType(Protocol):
    """A type of workflow; the engine knows what else there is to it (`workflow_ops.definitions.Definition`)."""

    @property
    def type(self) -> str:
        """Its name on the wire."""
        ...


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A look at one thing that the service depends on.

    Attributes:
        answers: tells whether it does.
        vital: whether a replica that does not reach it can serve nobody, so that requests should go to others.
    """

    answers: Callable[[], Awaitable[bool]]
    vital: bool = False


@dataclass(frozen=True, slots=True)
class Component(Generic[T]):
    """An object of which there is one in the process.

    Attributes:
        kind: the type that it is found by.
        build: makes it; asks the components for the others that it needs.
        start: begins its work in the background, once all components are there.
        stop: ends that work, before any component is closed.
        close: lets go of its connections.
    """

    kind: type[T]
    build: Callable[["Components"], T]
    start: Callable[[T], Awaitable[object]] | None = None
    stop: Callable[[T], Awaitable[object]] | None = None
    close: Callable[[T], Awaitable[object]] | None = None


def _nothing(_components: "Components") -> Mapping[str, Any]:
    return {}


def _none(_components: "Components") -> Sequence[Any]:
    return ()


@dataclass(frozen=True, slots=True)
class Domain:
    """What one package brings.

    Attributes:
        routers: its routes.
        tables: the modules with its tables.
        components: what lives as long as the process.
        workflows: the types of workflows that it owns.
        step_views: what it shows of the steps of workflows beside what those types do.
        schemas: the schemas that are put together at start, for the OpenAPI document.
        jobs: its periodic work.
        event_handlers: what handles events from other services, by the events' type.
        hooks: its functions that domains below call.
        seeds: what must be there before anybody signs in, in this order; safe to run again.
        commands: its commands, by the word that follows `budapp`.
        health_checks: what it depends on, by name.
    """

    routers: Sequence[APIRouter] = ()
    tables: Sequence[ModuleType] = ()
    components: Sequence[Component[Any]] = ()
    workflows: Sequence[WorkflowType] = ()
    step_views: Sequence[type[BaseModel]] = ()
    schemas: Callable[["Components"], Sequence[type[BaseModel]]] = _none
    jobs: "Callable[[Components], Sequence[Job]]" = _none
    event_handlers: Callable[["Components"], Mapping[str, EventHandler]] = _nothing
    hooks: Sequence[Registration] = ()
    seeds: Sequence[Seed] = ()
    commands: Mapping[str, Typer] = field(default_factory=dict)
    health_checks: Callable[["Components"], Mapping[str, HealthCheck]] = _nothing


class Components:
    """The objects of one process, found by their type: `components[Database]`. Each is built when first asked for.

    Raises:
        ValueError: two components have the same type, or registrations of hooks clash.
    """

    def __init__(self, settings: Settings, domains: Sequence[Domain]) -> None:
        self.domains = domains
        self.hooks = Hooks(registration for domain in domains for registration in domain.hooks)
        self._declared: dict[type[Any], Component[Any]] = {}
        self._built: dict[type[Any], Any] = {Settings: settings}
        self._building: list[type[Any]] = []
        self._started: list[Component[Any]] = []
        for component in (component for domain in domains for component in domain.components):
            if component.kind in self._declared:
                raise ValueError(f"Two components are declared with the type {component.kind.__name__}")
            self._declared[component.kind] = component

    def __getitem__(self, kind: type[T]) -> T:
        """Return the component of the type.

        Raises:
            LookupError: no domain brings it, or it needs itself.
        """
        if kind not in self._built:
            self._built[kind] = self._build(kind)
        return cast("T", self._built[kind])

    def override(self, kind: type[T], component: T) -> None:
        """Put another component in the place of the one of this type, as tests do; it is not started or stopped."""
        self._built[kind] = component

    def build_all(self) -> None:
        """Build what has not been asked for yet, so that a mistake shows at the start."""
        for kind in self._declared:
            self[kind]

    async def start(self) -> None:
        """Begin the work in the background, in the order of the domains."""
        for component in self._declared.values():
            if component.start is not None:
                self._started.append(component)
                await component.start(self[component.kind])

    async def stop(self) -> None:
        """End that work, the last first. What one raises is logged, and keeps the others from nothing."""
        while self._started:
            component = self._started.pop()
            if component.stop is not None:
                await self._attempt(component, component.stop)

    async def close(self) -> None:
        """Let go of all connections; nothing may be asked of the components afterwards."""
        for component in reversed(list(self._of_built())):
            if component.close is not None:
                await self._attempt(component, component.close)

    @asynccontextmanager
    async def running(self) -> "AsyncIterator[None]":
        """Start everything, and stop and close it at the end."""
        try:
            await self.start()
            yield
        finally:
            await self.stop()
            await self.close()

    def _build(self, kind: type[Any]) -> Any:
        component = self._declared.get(kind)
        if component is None or kind in self._building:
            trail = " -> ".join(one.__name__ for one in (*self._building, kind))
            raise LookupError(f"{trail}: {'no domain brings this' if component is None else 'it needs itself'}")
        self._building.append(kind)
        try:
            return component.build(self)
        finally:
            self._building.pop()

    def _of_built(self) -> Iterator[Component[Any]]:
        return (self._declared[kind] for kind in self._built if kind in self._declared)

    async def _attempt(self, component: Component[Any], end: Callable[[Any], Awaitable[object]]) -> None:
        try:
            await end(self._built[component.kind])
        except Exception:  # the boundary: the process ends, and the others must still be told
            logger.exception("component_not_stopped", component=component.kind.__name__)


def components_of(app: Request | FastAPI) -> Components:
    """Return the components of the application, or of the one that handles the request."""
    application = app.app if isinstance(app, Request) else app
    components: Components = application.state.components
    return components


def provided(kind: type[Any]) -> Any:
    """Return the dependency that gives a route the component of this type; it stands in an `Annotated`."""

    async def provide(request: Request) -> Any:
        return components_of(request)[kind]

    return Depends(provide)


def routers_of(domains: Iterable[Domain]) -> list[APIRouter]:
    """Return the routers of all domains."""
    return [router for domain in domains for router in domain.routers]


def routes_of(domains: Iterable[Domain]) -> list[APIRoute]:
    """Return the routes of all domains."""
    contexts = (context for router in routers_of(domains) for context in iter_route_contexts(router.routes))
    return [context.original_route for context in contexts if isinstance(context.original_route, APIRoute)]
