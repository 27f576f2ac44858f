"""The fixtures that every test shares: the real stack, a database per worker, two realms per run, and a cast."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from budapp.commons.config import Settings, load_settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.garbage import freeze_heap
from budapp.integrations.keycloak import Keycloak
from budapp.main import create_app
from budapp.user_ops.callers import Callers
from tests import stack
from tests.cast import Cast, Realms, make_realms, remove_realms_of_ended_runs
from tests.databases import create_database, drop_database, migrated_template
from tests.emptying import empty
from tests.logs import Logged, collect_logs
from tests.loop_watch import LoopWatch
from tests.stack import number_of, valkey_url
from tests.statements import Statements, count_statements
from tests.surface.routes import document
from tests.surface.scene import Extras, Stage, make_extras, remove_idle_realms
from tests.surface.surface import Surface

# How fast the machine is at a moment is nothing that a property depends on.
hypothesis_settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("any machine")


MOST_CASES = 12
"""So many cases of a test are repeated with `--times`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-access-matrix", action="store_true", help="write what is found, for review")
    parser.addoption("--times", type=int, default=1, help="run each test so many times")
    parser.addoption(
        "--faults", choices=("short", "all"), default="short", help="which outages to try in tests/system/faults"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times: int = metafunc.config.getoption("--times")
    if times > 1:
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(1, times + 1), indirect=True, ids=lambda number: f"time {number}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--times`, leave a few cases of each test: one of all routes would take as long as all tests."""
    if config.getoption("--times") == 1:
        return
    chosen: dict[str, set[str]] = {}
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        name, _, case = re.sub(r"-?time \d+", "", item.nodeid).partition("[")
        cases = chosen.setdefault(name, set())
        if len(cases) < MOST_CASES:
            cases.add(case)
        (kept if case in cases else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a test failed that passed at the second try."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"failed at first: {report.nodeid}")
        terminalreporter.line(report.longreprtext[-5000:])


@pytest.fixture
def repetition(request: pytest.FixtureRequest) -> int:
    """Which time it is that the test runs, with `--times`."""
    return int(request.param)


@pytest.fixture(scope="session")
def run_id(worker_id: str) -> str:
    """A name that no other worker and no other run at the same time has."""
    return f"{worker_id}-{os.getpid()}"


@pytest.fixture(scope="session")
def settings(run_id: str, worker_id: str) -> Settings:
    """The test stack's settings, with databases and realms of this worker's own."""
    policy = Settings.model_fields["keycloak_password_policy"].default
    return load_settings(
        psql_db_name=f"test-{run_id}",
        tensorzero_redis_url=valkey_url(stack.settings(), 16 + number_of(worker_id)),
        default_realm_name=f"test-{run_id}-a",
        keycloak_access_token_lifespan_seconds=3600,
        bud_notify_app_id=f"notify-{run_id}",  # mDNS would mix a test's own sidecar up with the stack's
        app_topic=f"budapp-{run_id}",  # what the stand-ins tell is for this run alone
        minio_model_bucket=f"model-info-{worker_id}",  # one worker's sweeper leaves the files of the others
        keycloak_timeout_seconds=60,
        login_failure_seconds=0,
        keycloak_password_policy=f"{policy} and hashIterations(1)",  # hashing is most of the time of a sign-in
        refresh_reuse_seconds=2,
        login_free_failures_of_address=1_000_000,  # all tests come from one
        rate_limit_address="10000/minute",
        rate_limit_refresh="1000/minute",
        rate_limit_register="1000/minute",
        rate_limit_reset="1000/minute",
    )


@pytest.fixture(scope="session")
def migrated(settings: Settings) -> Iterator[None]:
    """The worker's database, as the migrations make it."""

    async def make() -> None:
        await create_database(settings, settings.psql_db_name, template=await migrated_template(settings))

    asyncio.run(make())
    yield
    asyncio.run(drop_database(settings, settings.psql_db_name))


@pytest.fixture(scope="session")
async def app(settings: Settings, migrated: None) -> AsyncIterator[FastAPI]:
    """The application without its background tasks: a test that needs one starts it."""
    application = create_app(settings)
    freeze_heap()
    yield application
    await components_of(application).close()


@pytest.fixture(scope="session")
def openapi(app: FastAPI) -> dict[str, Any]:
    """The committed OpenAPI document, which the application now serves: to build it takes seconds."""
    app.openapi_schema = document().published
    return document().published


@pytest.fixture(scope="session")
def order(request: pytest.FixtureRequest) -> int:
    """The seed of the order of the tests: what is chosen by it is another sample in each run, and can be had again."""
    return int(request.config.getoption("randomly_seed", default=0))


@pytest.fixture(scope="session")
async def realms(app: FastAPI, settings: Settings, worker_id: str) -> AsyncIterator[Realms]:
    """Two Keycloak realms with the cast's accounts in them."""
    if worker_id in {"master", "gw0"}:
        await remove_realms_of_ended_runs(components_of(app)[Keycloak], settings)
    made = await make_realms(components_of(app)[Keycloak], settings)
    yield made
    for client in made.clients:
        await components_of(app)[Keycloak].delete_realm(client.realm)


@pytest.fixture
async def database(app: FastAPI) -> Database:
    """The database, empty but for what the test puts in."""
    database: Database = components_of(app)[Database]
    await empty(database)
    components_of(app)[Callers].forget_all()
    return database


@pytest.fixture
async def cast(database: Database, realms: Realms) -> Cast:
    """Two tenants and their people, each with a token of their own."""
    return await Cast.enter(database, realms)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that nobody is signed in with; pass `headers=cast.admin.headers`."""
    watch = LoopWatch(app)
    transport = httpx.ASGITransport(watch, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as http:
        yield http
    assert watch.held == []


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What the service logs during the test."""
    with collect_logs() as found:
        yield found


@pytest.fixture(scope="session")
async def extras(app: FastAPI, realms: Realms) -> AsyncIterator[Extras]:
    """More accounts, for `surface`."""
    made = await make_extras(app, realms)
    yield made
    await remove_idle_realms(app, made)


@pytest.fixture(scope="session")
def stage(app: FastAPI, realms: Realms, extras: Extras) -> Stage:
    """The scene of all tests of the worker."""
    return Stage(components_of(app)[Database], components_of(app)[Callers], realms, extras)


@pytest.fixture
async def surface(app: FastAPI, client: httpx.AsyncClient, realms: Realms, stage: Stage) -> Surface:
    """The application with things of all kinds in both tenants, and everybody who may ask for them."""
    scene = await stage.restored()
    return Surface(app, client, realms, stage, scene, document())


@pytest.fixture
def statements(database: Database) -> Iterator[Statements]:
    """The SQL statements that the test causes; `statements.clear()` starts over."""
    with count_statements(database) as counted:
        yield counted


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parent.parent
