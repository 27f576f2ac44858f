"""What `/metrics` says of pools, the event loop, limits, and of what waits."""

import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import text

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import TooManyRequests
from budapp.commons.outages import timed, unavailable
from budapp.commons.rate_limits import RateLimiter
from budapp.commons.vitals import Vitals
from budapp.status_ops.figures import Figures
from tests.cast import Cast

_WAITING_EVENT = """
    insert into inbox_message (id, created_at, modified_at, source, message_id, type, attempts, next_attempt_at)
    values (gen_random_uuid(), now() - interval '90 seconds', now(), 'elsewhere', 'waits', 'made_up', 1, now())
"""


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_made_up_methods_are_one_and_counters_come_without_a_moment(client: httpx.AsyncClient) -> None:
    def count() -> float:
        return figure("http_requests_total", method="other", route="none", status="401")

    before = count()
    for method in ("BREW", "WHEN"):
        await client.request(method, "/nowhere")
    said = (await client.get("/metrics")).text
    assert "BREW" not in said
    assert "_created" not in said
    assert "budapp_build_info{" in said
    assert count() == before + 2


async def test_pools_say_what_is_in_use_and_who_waits(settings: Settings, migrated: None) -> None:
    database = Database(settings.model_copy(update={"psql_pool_size": 1}))
    sleep = "select pg_sleep(0.8)"

    async def write() -> None:
        async with database.write() as session:
            await session.execute(text(sleep))

    async def read() -> None:
        await database.reads.fetch(sleep, ())

    working = [asyncio.create_task(work()) for work in (write, write, write, read, read)]
    await asyncio.sleep(0.5)
    Vitals(database).measure()
    for pool, waiting in (("write", 2), ("prepared", 1)):
        assert figure("budapp_postgresql_connections", pool=pool, state="in_use") == 1
        assert figure("budapp_postgresql_waiting", pool=pool) == waiting
    await asyncio.gather(*working)
    Vitals(database).measure()
    assert figure("budapp_postgresql_waiting", pool="write") == 0
    assert figure("budapp_postgresql_connections", pool="prepared", state="idle") == 1
    await database.dispose()


async def test_a_held_event_loop_shows(app: FastAPI) -> None:
    vitals = Vitals(components_of(app)[Database])
    await vitals.start()
    await asyncio.sleep(0.1)
    before = figure("budapp_event_loop_lag_seconds_sum")
    time.sleep(1)  # noqa: ASYNC251 - what is to be found
    await asyncio.sleep(0.1)
    await vitals.stop()
    assert figure("budapp_event_loop_lag_seconds_sum") - before > 0.3


async def test_what_waits_is_counted(app: FastAPI, cast: Cast, database: Database) -> None:
    async with database.write() as session:
        await session.execute(text(_WAITING_EVENT))
    await Figures(database).measure()
    assert (figure("budapp_inbox_waiting"), figure("budapp_workflows", state="stuck")) == (1, 0)
    assert figure("budapp_inbox_lag_seconds") > 80
    assert figure("budapp_audit_unsealed") >= 0


async def test_a_refusal_by_a_limit_is_counted(app: FastAPI) -> None:
    limiter, before = components_of(app)[RateLimiter], figure("budapp_limit_refusals_total", limit="address")
    who = f"{time.time()}"
    await limiter.hit("1/minute", "/auth/login", who)
    with pytest.raises(TooManyRequests):
        await limiter.hit("1/minute", "/auth/login", who)
    assert figure("budapp_limit_refusals_total", limit="address") == before + 1


async def test_sign_ins_are_counted_by_how_they_end(client: httpx.AsyncClient, cast: Cast) -> None:
    before = figure("budapp_sign_ins_total", outcome="failed")
    wrong = {"email": cast.manager.email, "password": "Not-the-one-1"}
    assert (await client.post("/auth/login", json=wrong)).status_code == 400
    assert figure("budapp_sign_ins_total", outcome="failed") == before + 1


def test_calls_are_told_apart_by_how_they_end() -> None:
    def count(outcome: str) -> float:
        return figure("budapp_dependency_seconds_count", dependency="made-up", outcome=outcome)

    for error, outcome in (
        (unavailable("made-up", None, "down"), "unreachable"),
        (OSError(), "unreachable"),
        (TooManyRequests(1), "error"),
        (asyncio.CancelledError(), "given_up"),
    ):
        before = count(outcome)
        with pytest.raises(type(error)), timed("made-up"):
            raise error
        assert count(outcome) == before + 1
