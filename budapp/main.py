"""The application: settings, components, middleware, and the routes of all domains."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from budapp import __version__, glossary
from budapp.commons import documentation
from budapp.commons.access import api_routes, check_routes
from budapp.commons.authentication import AuthenticationMiddleware
from budapp.commons.background import log_abandoned_errors
from budapp.commons.config import Settings, get_settings
from budapp.commons.deadlines import DeadlineMiddleware
from budapp.commons.domain import Components, Domain, components_of
from budapp.commons.error_handlers import install_error_handlers
from budapp.commons.garbage import freeze_heap
from budapp.commons.http import RequestMiddleware
from budapp.commons.logging import configure_logging
from budapp.commons.openapi import Additions, build_openapi
from budapp.commons.query_parameters import refuse_unknown
from budapp.commons.routing import RouteIndex
from budapp.commons.telemetry import start_tracing, stop_tracing
from budapp.domains import DOMAINS

_ALLOWED_HEADERS = [
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "X-Entity-Id",
    "X-Request-Id",
    "X-Resource-Type",
]
_EXPOSED_HEADERS = ["Idempotent-Replayed", "Retry-After", "X-Request-Id", "Deprecation", "Sunset"]


def create_app(settings: Settings | None = None, domains: Sequence[Domain] = DOMAINS) -> FastAPI:
    """Put the service together. Nothing is connected to before the first request or the start of the lifespan.

    Raises:
        SettingsError: a setting is missing or malformed.
        RuntimeError: a route does not say who may call it.
        ValueError: what two domains bring clashes.
    """
    settings = settings or get_settings()
    configure_logging(settings.log_level)
    app = FastAPI(
        title="budapp",
        version=__version__,
        description="Tenants, users, projects, models, deployments and their workflows.",
        openapi_url=None,  # commons/documentation.py serves it, and its pages
        routes=[*documentation.ROUTES],
        lifespan=_lifespan,
        dependencies=[Depends(refuse_unknown)],
    )
    app.state.components = Components(settings, domains)
    app.state.components.build_all()
    for router in (router for domain in domains for router in domain.routers):
        app.include_router(router)
    check_routes(api_routes(app))
    RouteIndex.install(app)
    install_error_handlers(app)
    schemas = [schema for domain in domains for schema in domain.schemas(components_of(app))]
    additions = Additions(schemas, glossary.PARAMETERS, glossary.MEMBERS)
    app.openapi = lambda: build_openapi(app, additions)  # type: ignore[method-assign]
    _add_middleware(app, settings)
    start_tracing(app, settings)
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add the layers, the innermost first."""
    public = frozenset(route.path for route in documentation.ROUTES)
    app.add_middleware(AuthenticationMiddleware, public_paths=public)
    app.add_middleware(DeadlineMiddleware, seconds=settings.request_seconds)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
        max_age=600,
    )
    app.add_middleware(RequestMiddleware, max_body_bytes=settings.request_body_max_bytes)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    log_abandoned_errors()
    try:
        async with components_of(app).running():
            freeze_heap()
            yield
    finally:
        await stop_tracing()
