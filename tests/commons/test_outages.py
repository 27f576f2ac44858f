"""An outage leaves a line at its beginning and one at its end, however much fails in between."""

import asyncio
import json
from types import SimpleNamespace

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import DBAPIError

from budapp.commons import outages as module
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.errors import Unavailable
from budapp.commons.logging import configure_logging, get_logger
from budapp.commons.outages import Outages, dependency_of, log_failure
from budapp.integrations.storage import Storage
from budapp.main import create_app
from tests.cast import Cast
from tests.commons.test_stores_down import closed_port
from tests.logs import Logged
from tests.system.faults.proxy import Proxy


def failures(dependency: str) -> float:
    return REGISTRY.get_sample_value("budapp_dependency_failures_total", {"dependency": dependency}) or 0


def is_down(dependency: str) -> bool:
    return REGISTRY.get_sample_value("budapp_dependency_down", {"dependency": dependency}) == 1


async def test_an_outage_is_told_twice_and_counted(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    outages, before = Outages(), failures("sundial")
    for _ in range(100):
        outages.failed("sundial", ConnectionError("dark"))
    outages.answered("sundial")
    assert is_down("sundial"), "one that answers now and then is not back"
    monkeypatch.setattr(module, "QUIET_SECONDS", 0)
    outages.answered("sundial")
    outages.answered("sundial")
    assert not is_down("sundial")
    assert failures("sundial") == before + 100
    begun, over = logged.of("dependency_down", "dependency_still_down", "dependency_up")
    assert (begun["event"], begun["dependency"], begun["reason"]) == ("dependency_down", "sundial", begun["reason"])
    assert (over["event"], over["failures"]) == ("dependency_up", 100)


def test_one_that_fails_now_and_then_is_not_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock))
    outages = Outages()
    outages.failed("sundial", "dark")
    clock = 10
    outages.failed("sundial", "dark")
    clock = 12
    outages.answered("sundial")
    assert is_down("sundial")
    clock = 16
    outages.answered("sundial")
    assert not is_down("sundial")


async def test_a_long_outage_is_told_again_now_and_then(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    outages = Outages()
    outages.failed("sundial", "dark")
    monkeypatch.setattr(module, "REMINDER_SECONDS", 0)
    outages.failed("sundial", "dark")
    (reminder,) = logged.of("dependency_still_down")
    assert reminder["failures"] == 2


async def test_what_is_no_outage_keeps_its_traceback(logged: Logged) -> None:
    logger = get_logger("budapp.test")
    log_failure(logger, "went_wrong", ValueError("ours"), what="x")
    log_failure(logger, "went_wrong", DBAPIError("select", {}, ConnectionError("theirs")))
    log_failure(logger, "went_wrong", Unavailable("no dependency is named"))
    first, second = logged.of("went_wrong")
    assert "ValueError: ours" in first["exception"]
    assert first["what"] == "x"
    assert "no dependency is named" in second["exception"]


async def test_a_database_that_is_down_fills_no_log(settings: Settings, migrated: None, logged: Logged) -> None:
    module.outages.answered("postgresql")
    nowhere = settings.model_copy(update={"psql_port": closed_port()})
    app = create_app(nowhere)
    configure_logging("INFO", logged.stream)
    before = failures("postgresql")
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as client:
            answers = await asyncio.gather(*(client.post("/auth/login", json=LOGIN) for _ in range(10)))
        await asyncio.sleep(1)
    assert {answer.status_code for answer in answers} == {503}
    assert failures("postgresql") >= before + 10
    text = logged.text
    assert "Traceback" not in text
    assert len(logged.of("dependency_down")) <= 1
    others = [line for line in logged.lines if json.loads(line)["event"] != "request"]
    assert len(others) < 10, others


LOGIN = {"email": "nobody@example.com", "password": "Wrong-Horse-1"}


async def test_a_store_that_hangs_keeps_no_thread_from_others(settings: Settings, migrated: None, cast: Cast) -> None:
    host, _, port = settings.minio_endpoint.partition(":")
    async with Proxy(host, int(port)).running() as proxy:
        app = create_app(settings.model_copy(update={"minio_endpoint": f"127.0.0.1:{proxy.port}"}))
        storage = components_of(app)[Storage]
        async with proxy.failing("hang"):
            asked = [asyncio.create_task(storage.get(settings.minio_bucket, "x")) for _ in range(40)]
            health = await asyncio.gather(*(storage.healthy() for _ in range(10)))
            assert health == [False] * 10
            async with asyncio.timeout(5):
                assert await asyncio.to_thread(lambda: 1) == 1
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        assert await storage.healthy()
    await components_of(app).close()


def test_a_group_is_an_outage_only_where_each_of_its_errors_is() -> None:
    lost, ours = DBAPIError("select 1", {}, ConnectionError("cut")), ValueError("ours")
    assert dependency_of(ExceptionGroup("job", [lost, ExceptionGroup("lease", [lost])])) == "postgresql"
    assert dependency_of(ExceptionGroup("job", [lost, ours])) is None
    assert dependency_of(ExceptionGroup("job", [ours, lost])) is None
