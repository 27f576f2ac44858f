"""OpenTelemetry traces, where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to send them."""

import asyncio

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv.attributes.http_attributes import HTTP_ROUTE
from opentelemetry.util.http import parse_excluded_urls
from starlette.types import Scope

from budapp import __version__
from budapp.commons.config import Settings
from budapp.commons.routing import RouteIndex, unversioned

_QUIET = "livez,readyz,health,metrics"


def start_tracing(app: FastAPI, settings: Settings) -> None:
    """Trace requests, statements and calls to peers; nothing happens where no endpoint is set.

    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS` of the environment count.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if not endpoint:
        return
    own = Resource({"service.name": "budapp", "service.version": __version__})
    provider = TracerProvider(resource=Resource.create().merge(own).merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    app.add_middleware(OpenTelemetryMiddleware, excluded_urls=parse_excluded_urls(_QUIET), default_span_details=_named)
    AsyncPGInstrumentor().instrument()  # type: ignore[no-untyped-call]
    HTTPXClientInstrumentor().instrument()
    AioHttpClientInstrumentor().instrument()


def _named(scope: Scope) -> tuple[str, dict[str, str]]:
    """Return the span's name and attributes: by the route, which the index finds at once, and not by the path."""
    index: RouteIndex = scope["app"].state.routes
    route = index.route_of(scope["method"], unversioned(scope["path"])) if scope["type"] == "http" else None
    method = scope.get("method", "WEBSOCKET")
    return (f"{method} {route.path}", {HTTP_ROUTE: route.path}) if route is not None else (method, {})


async def stop_tracing() -> None:
    """Send what has not been sent yet."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        await asyncio.to_thread(provider.shutdown)
