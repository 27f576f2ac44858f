"""No request waits for ever: neither for a store that hangs, nor for a lock, nor for anything else."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, File, UploadFile
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from starlette.responses import StreamingResponse

from budapp.commons.access import public
from budapp.commons.config import Settings
from budapp.commons.database import Database, Write
from budapp.commons.deadlines import DeadlineMiddleware, may_take
from budapp.commons.domain import Domain, components_of
from budapp.domains import DOMAINS
from budapp.main import create_app
from budapp.tenant_ops.models import Tenant
from tests.cast import Cast
from tests.commons.test_stores_down import assert_unavailable
from tests.system.faults.proxy import Proxy

REQUEST_SECONDS = 2


@pytest.fixture
async def hasty(settings: Settings, migrated: None) -> AsyncIterator[FastAPI]:
    """An application in which a request may take two seconds, with routes that take longer."""
    router = APIRouter()

    @router.post("/slow", dependencies=[public])
    async def slow(session: Write) -> None:
        session.add(Tenant(name="slow", realm_name="slow", tenant_identifier="slow"))
        await session.flush()
        await asyncio.sleep(3600)

    @router.post("/stubborn", dependencies=[public])
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    @router.post("/patient", dependencies=[public, may_take(60)])
    async def patient() -> None:
        await asyncio.sleep(REQUEST_SECONDS * 1.5)

    @router.put("/upload", dependencies=[public])
    async def upload(file: Annotated[UploadFile, File()]) -> int:
        return len(await file.read())

    domains = (*DOMAINS, Domain(routers=(router,)))
    app = create_app(settings.model_copy(update={"request_seconds": REQUEST_SECONDS}), domains)
    yield app
    await components_of(app).close()


@pytest.fixture
async def hasty_client(hasty: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(hasty) as client:
        yield client


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://budapp.test", timeout=60)


async def test_what_takes_too_long_is_503_and_leaves_nothing(
    hasty: FastAPI, hasty_client: httpx.AsyncClient, database: Database
) -> None:
    assert_unavailable(await hasty_client.post("/slow"))
    async with database.read() as session:
        assert (await session.scalars(select(Tenant))).all() == []
        open_transactions = "select count(*) from pg_stat_activity where state like 'idle in%' and datname = :name"
        name = components_of(hasty)[Settings].psql_db_name
        assert await session.scalar(text(open_transactions), {"name": name}) == 0


async def test_what_loses_a_cancellation_is_ended_all_the_same(hasty_client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        assert_unavailable(await hasty_client.post("/stubborn"))
        assert (await hasty_client.post("/patient")).is_success, "the next request is not cancelled"


async def test_the_frontend_can_read_that_it_took_too_long(hasty_client: httpx.AsyncClient) -> None:
    origin = "http://localhost:3000"
    answer = await hasty_client.post("/slow", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin


async def test_a_route_that_declares_more_time_has_it(hasty_client: httpx.AsyncClient) -> None:
    assert (await hasty_client.post("/patient")).status_code == 200


async def test_the_time_that_a_client_takes_to_send_is_its_own(hasty_client: httpx.AsyncClient) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(4):
            await asyncio.sleep(REQUEST_SECONDS * 0.4)
            yield b"abc"
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await hasty_client.put("/upload", content=slowly(), headers=headers)
    assert (answer.status_code, answer.json()) == (200, 12)


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[Proxy]:
    async with Proxy(settings.psql_host, settings.psql_port).running() as running:
        yield running


async def test_a_hanging_database_is_503_soon_and_the_service_works_again_after(
    settings: Settings, cast: Cast, proxy: Proxy
) -> None:
    changes = {"psql_port": proxy.port, "request_seconds": REQUEST_SECONDS, "caller_cache_seconds": 0}
    app = create_app(settings.model_copy(update=changes))
    async with client_of(app) as client:
        read = client.get("/users/me", headers=cast.admin.headers)
        assert (await read).status_code == 200
        async with proxy.failing("hang"):
            started = time.monotonic()
            body = {"name": "Late"}
            answers = await asyncio.gather(
                client.get("/users/me", headers=cast.admin.headers),
                client.post("/projects/", json=body, headers=cast.admin.headers),
            )
            for answer in answers:
                assert_unavailable(answer)
            assert time.monotonic() - started < 10
        assert (await client.get("/users/me", headers=cast.admin.headers)).status_code == 200
        listed = await client.get("/projects/", headers=cast.admin.headers)
        assert [item["project"]["name"] for item in listed.json()["projects"]] == []
    await components_of(app).close()


async def test_postgresql_ends_what_takes_too_long_by_itself(settings: Settings, migrated: None) -> None:
    limits = {"psql_statement_seconds": 0.2, "psql_lock_seconds": 0.1, "psql_idle_transaction_seconds": 5}
    database = Database(settings.model_copy(update=limits))
    with pytest.raises(DBAPIError, match="statement timeout"):
        async with database.write() as session:
            await session.execute(text("select pg_sleep(60)"))
    async with database.write() as session:
        await session.execute(text("select pg_advisory_xact_lock(1)"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            async with database.write() as other:
                await other.execute(text("select pg_advisory_xact_lock(1)"))
    async with database.read() as reading:
        setting = text("select current_setting('idle_in_transaction_session_timeout')")
        assert await reading.scalar(setting) == "5s"
    await database.dispose()


async def test_an_answer_that_has_begun_is_not_cut_off() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b"first, "
        await asyncio.sleep(0.3)
        yield b"last"

    app = DeadlineMiddleware(StreamingResponse(slowly()), 0.1)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://budapp.test") as client:
        assert (await client.get("/")).text == "first, last"
