"""The application: settings, what outlives a request, middleware, routers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from budapp import __version__
from budapp.announced_ops.step_views import BenchmarkSteps, EvaluationSteps, GuardrailSteps, PromptSteps
from budapp.asset_ops.routes import router as asset_router
from budapp.audit.denials import Denials
from budapp.audit.sealing import seal
from budapp.audit_ops.delivery import Delivering
from budapp.audit_ops.retention import remove_old
from budapp.audit_ops.routes import router as audit_router
from budapp.auth import password_resets
from budapp.auth.authentication import JwtAuthenticator
from budapp.auth.invitation_routes import router as invitation_router
from budapp.auth.oauth_routes import router as sign_on_router
from budapp.auth.password_resets import PasswordResets
from budapp.auth.refreshing import Refreshing
from budapp.auth.routes import router as auth_router
from budapp.auth.services import AuthService
from budapp.auth.single_sign_on import SingleSignOn
from budapp.auth.tokens import SigningKeys, TokenVerifier
from budapp.billing_ops import services as billing
from budapp.billing_ops.cycles import roll_cycles
from budapp.billing_ops.routes import router as billing_router
from budapp.catalog_ops.routes import router as catalog_router
from budapp.cluster_ops.step_views import ClusterSteps
from budapp.commons import health
from budapp.commons.access import api_routes, check_routes
from budapp.commons.background import keep_running, stop
from budapp.commons.config import Settings, get_settings
from budapp.commons.database import Database
from budapp.commons.deadlines import DeadlineMiddleware
from budapp.commons.error_handlers import install_error_handlers
from budapp.commons.http import RequestMiddleware
from budapp.commons.idempotency import purge_records
from budapp.commons.jobs import Job, Jobs
from budapp.commons.logging import configure_logging
from budapp.commons.openapi import build_openapi
from budapp.commons.rate_limits import RateLimiter
from budapp.commons.routing import RouteIndex
from budapp.commons.telemetry import start_tracing, stop_tracing
from budapp.credential_ops import services as credentials
from budapp.dataset_ops import services as datasets
from budapp.dataset_ops.checking import Checking
from budapp.dataset_ops.files import Files
from budapp.dataset_ops.routes import router as dataset_router
from budapp.endpoint_ops import services as endpoints
from budapp.endpoint_ops.routes import router as endpoint_router
from budapp.endpoint_ops.step_views import DeploymentSteps
from budapp.events.dispatch import EventHandlers
from budapp.events.purging import purge_messages
from budapp.events.relay import Relay
from budapp.events.routes import router as event_router
from budapp.integrations.brokering import CALLBACK_PATH, Brokering
from budapp.integrations.dapr import DaprClient
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.storage import Storage
from budapp.integrations.valkey import connect_valkey, valkey_up
from budapp.model_ops import workflows as model_workflows
from budapp.model_ops.cloud_catalogue import sync_from
from budapp.model_ops.license_files import LicenseFiles
from budapp.model_ops.license_routes import router as license_router
from budapp.model_ops.measuring import measure_models
from budapp.model_ops.routes import router as model_router
from budapp.oauth_ops.routes import router as oauth_router
from budapp.oauth_ops.services import Providers
from budapp.oauth_ops.services import purge as purge_oauth
from budapp.permission_ops.routes import router as permission_router
from budapp.platform_ops.routes import router as platform_router
from budapp.platform_ops.services import Platform
from budapp.project_ops.routes import router as project_router
from budapp.quantization_ops import workflows as quantization_workflows
from budapp.quantization_ops.routes import router as quantization_router
from budapp.recommendation_ops import services as recommendations
from budapp.recommendation_ops.workflows import RECOMMENDATION
from budapp.role_ops.routes import router as role_router
from budapp.session_ops.routes import router as session_router
from budapp.session_ops.services import purge_sessions
from budapp.session_ops.uses import SessionUses
from budapp.template_ops.routes import router as template_router
from budapp.user_ops.callers import Callers
from budapp.user_ops.mirror import KeycloakMirror
from budapp.user_ops.routes import router as user_router
from budapp.user_ops.sessions import purge_revocations
from budapp.workflow_ops.routes import router as workflow_router
from budapp.workflow_ops.services import Workflows

_ALLOWED_HEADERS = [
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "X-Entity-Id",
    "X-Request-Id",
    "X-Resource-Type",
]
_EXPOSED_HEADERS = ["Idempotent-Replayed", "Retry-After", "X-Request-Id", "Deprecation", "Sunset"]

ROUTERS = (
    health.router,
    event_router,
    auth_router,
    invitation_router,
    sign_on_router,
    oauth_router,
    billing_router,
    permission_router,
    role_router,
    session_router,
    user_router,
    platform_router,
    audit_router,
    endpoint_router,
    project_router,
    workflow_router,
    catalog_router,
    quantization_router,
    model_router,
    license_router,
    dataset_router,
    template_router,
    asset_router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Put the service together. Nothing is connected to before the first request or the start of the lifespan.

    Raises:
        SettingsError: a setting is missing or malformed.
        RuntimeError: a route does not say who may call it.
    """
    settings = settings or get_settings()
    configure_logging(settings.log_level)
    app = FastAPI(
        title="budapp",
        version=__version__,
        description="Tenants, users, projects, models, deployments and their workflows.",
        lifespan=_lifespan,
    )
    _assemble(app, settings)
    billing.register_user_content()
    password_resets.register_user_content()
    credentials.register_project_content()
    endpoints.register_project_content()
    endpoints.register_catalogue_follower()
    datasets.register_project_content()
    recommendations.register_model_content()
    for router in ROUTERS:
        app.include_router(router)
    check_routes(api_routes(app))
    RouteIndex.install(app)
    install_error_handlers(app)
    app.openapi = lambda: build_openapi(app, [app.state.workflows.steps_view])  # type: ignore[method-assign]
    _add_middleware(app, settings)
    start_tracing(app, settings)
    return app


def _assemble(app: FastAPI, settings: Settings) -> None:
    """Make what outlives a request, and hang it where dependencies find it."""
    state = app.state
    state.settings = settings
    state.database = Database(settings)
    state.encryption = state.database.encryption
    state.valkey = connect_valkey(settings)
    state.keycloak = Keycloak(settings)
    state.dapr = DaprClient(settings)
    state.storage = Storage(settings)
    state.rate_limiter = RateLimiter(state.valkey)
    state.callers = Callers(state.valkey, settings.caller_cache_seconds)
    verifier = TokenVerifier(SigningKeys(state.keycloak), settings.keycloak_issuer_base)
    state.session_uses = SessionUses(state.database)
    state.authenticator = JwtAuthenticator(state.database, verifier, state.callers, state.session_uses)
    mirror = KeycloakMirror(state.database, state.keycloak, state.callers)
    refreshing = Refreshing(state.valkey, state.encryption, settings.refresh_reuse_seconds)
    state.auth = AuthService(
        settings, state.database, state.keycloak, verifier, state.valkey, state.callers, refreshing, mirror
    )
    state.platform = Platform(settings, state.keycloak, state.encryption, state.callers)
    brokering = Brokering(state.keycloak, settings.callback_base + CALLBACK_PATH)
    state.providers = Providers(settings, brokering, state.encryption)
    state.single_sign_on = SingleSignOn(settings, state.database, state.keycloak, brokering, verifier)
    state.event_handlers = EventHandlers()
    state.password_resets = PasswordResets(settings, state.database, state.keycloak, state.callers)
    state.audit_delivering = Delivering(settings, state.database, state.storage)
    state.denials = Denials(state.database)
    state.relay = Relay(state.database, state.dapr)
    state.dataset_files = Files.of(settings, state.storage)
    state.dataset_checking = Checking(state.database, state.storage, settings.minio_dataset_bucket)
    state.license_files = LicenseFiles.of(settings, state.storage, state.encryption)
    state.workflows = Workflows(
        state.database,
        state.dapr,
        settings,
        [*model_workflows.ALL, quantization_workflows.QUANTIZATION, RECOMMENDATION],
        views=[ClusterSteps, DeploymentSteps, BenchmarkSteps, EvaluationSteps, PromptSteps, GuardrailSteps],
    )
    state.workflows.register(state.event_handlers)
    state.jobs = Jobs(state.database)
    _add_jobs(state.jobs, state.database, state.dataset_checking)
    every = timedelta(seconds=settings.keycloak_mirror_seconds)
    state.jobs.add(Job("mirror_keycloak", every, mirror.mirror_all))
    state.mirror = mirror
    _add_audit_jobs(state.jobs, state.database, state.audit_delivering)
    _add_workflow_jobs(state.jobs, state.database, state.workflows)
    _add_model_jobs(state.jobs, state.database, state.license_files, settings)
    state.health_checks = {
        "postgresql": state.database.healthy,
        "valkey": lambda: valkey_up(state.valkey),
        "keycloak": state.keycloak.healthy,
        "dapr": state.dapr.healthy,
        "storage": state.storage.healthy,
    }


def _add_jobs(jobs: Jobs, database: Database, checking: Checking) -> None:
    """Add what runs by itself now and then."""
    jobs.add(Job("purge_idempotency_records", timedelta(hours=1), partial(purge_records, database)))
    jobs.add(Job("purge_sign_ons", timedelta(hours=1), partial(purge_oauth, database)))
    jobs.add(Job("purge_messages", timedelta(hours=1), partial(purge_messages, database)))
    jobs.add(Job("check_dataset_files", timedelta(seconds=2), checking.check, limit=timedelta(minutes=30)))
    jobs.add(Job("sweep_dataset_files", timedelta(minutes=10), checking.sweep))
    jobs.add(Job("roll_billing_cycles", timedelta(hours=1), partial(roll_cycles, database)))
    jobs.add(Job("purge_revocations", timedelta(hours=1), partial(purge_revocations, database)))
    jobs.add(Job("purge_sessions", timedelta(hours=1), partial(purge_sessions, database)))


def _add_audit_jobs(jobs: Jobs, database: Database, delivering: Delivering) -> None:
    jobs.add(Job("seal_audit_entries", timedelta(seconds=1), partial(seal, database)))
    jobs.add(Job("deliver_audit_entries", timedelta(seconds=2), delivering.run))
    jobs.add(Job("remove_old_audit_entries", timedelta(hours=1), partial(remove_old, database)))


def _add_workflow_jobs(jobs: Jobs, database: Database, workflows: Workflows) -> None:
    """Add what keeps workflows from waiting for ever; it may ask other services, one after the other."""
    limit = timedelta(minutes=30)
    jobs.add(Job("reconcile_workflows", timedelta(seconds=20), workflows.reconciler.reconcile, limit=limit))
    jobs.add(Job("expire_workflow_drafts", timedelta(hours=1), workflows.reconciler.expire_drafts))
    recommend = partial(recommendations.recommend, database, workflows)
    jobs.add(Job("recommend_clusters", timedelta(seconds=30), recommend, limit=limit))


def _add_model_jobs(jobs: Jobs, database: Database, files: LicenseFiles, settings: Settings) -> None:
    every = timedelta(hours=settings.catalogue_sync_hours)
    jobs.add(Job("sync_catalogue", every, partial(sync_from, database, settings.catalogue_source)))
    measure = partial(measure_models, database, files.storage, settings.minio_bucket)
    jobs.add(Job("measure_models", timedelta(seconds=30), measure))
    jobs.add(Job("sweep_license_files", timedelta(minutes=10), partial(files.sweep, database)))


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add the layers, the innermost first."""
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
    state = app.state
    # What has begun is stopped, the last one first, whatever another one raises.
    async with AsyncExitStack() as running:
        running.push_async_callback(stop_tracing)
        running.push_async_callback(close, app)
        running.push_async_callback(stop, keep_running("caller_changes", state.callers.listen))
        for part in (state.relay, state.jobs, state.session_uses, state.denials):
            await part.start()
            running.push_async_callback(part.stop)
        yield


async def close(app: FastAPI) -> None:
    """Close every connection that the application holds; one that can't be closed keeps none of the others open."""
    state = app.state
    async with AsyncExitStack() as opened:
        for close_part in (
            state.database.dispose,
            state.valkey.aclose,
            state.keycloak.close,
            state.storage.close,
            state.dapr.close,
        ):
            opened.push_async_callback(close_part)
