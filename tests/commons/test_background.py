"""What runs in the background comes back by itself, is seen while it is away, and stops one way or another."""

import asyncio
import gc
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from budapp.commons import background
from budapp.commons.background import keep_running, log_abandoned_errors, stop
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain, components_of
from budapp.domains import DOMAINS
from budapp.integrations.dapr import DaprClient
from budapp.main import create_app
from tests.logs import Logged


def figure(name: str, task: str) -> float:
    return REGISTRY.get_sample_value(name, {"task": task}) or 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.01)


async def test_what_breaks_off_is_started_again_and_counted(impatient: None) -> None:
    runs, gone, back = 0, asyncio.Event(), asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("broken")
        back.set()
        await gone.wait()

    before = figure("budapp_background_restarts_total", "breaking")
    task = keep_running("breaking", work)
    await back.wait()
    assert figure("budapp_background_restarts_total", "breaking") == before + 2
    assert figure("budapp_background_running", "breaking") == 1
    await stop(task)
    assert figure("budapp_background_running", "breaking") == 0
    assert task.cancelled()


async def test_pauses_end_at_the_longest_however_often_it_breaks_off(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_PAUSE_SECONDS", 0.01)
    runs, back = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 12:
            raise RuntimeError("broken")
        back.set()

    task = keep_running("breaking", work)
    async with asyncio.timeout(3):
        await back.wait()
    await stop(task)


async def test_a_task_that_swallows_a_cancellation_is_stopped_all_the_same() -> None:
    begun, swallowed = asyncio.Event(), 0

    async def work() -> None:
        nonlocal swallowed
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed += 1
        await asyncio.Event().wait()

    task = keep_running("swallowing", work)
    await begun.wait()
    async with asyncio.timeout(10):
        await stop(task)
    assert (swallowed, task.cancelled()) == (1, True)


async def test_what_returns_is_not_started_again() -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1

    await keep_running("returning", work)
    assert runs == 1


async def serving(app: FastAPI) -> None:
    """Begin and end the application as a server does."""
    async with app.router.lifespan_context(app):
        pass


class Broken:
    """A component whose end fails."""

    async def start(self) -> None:
        """Begin nothing."""

    async def end(self) -> None:
        raise RuntimeError("broken")


@pytest.mark.parametrize("end", ["stop", "close"])
@pytest.mark.parametrize("position", [0, 1, len(DOMAINS)])
async def test_the_shutdown_goes_on_to_the_end_whatever_one_part_raises(
    settings: Settings, migrated: None, position: int, end: str
) -> None:
    ends: dict[str, Any] = {end: Broken.end}
    broken = Domain(components=(Component(Broken, lambda _: Broken(), start=Broken.start, **ends),))
    app = create_app(settings, (*DOMAINS[:position], broken, *DOMAINS[position:]))
    await serving(app)
    with pytest.raises(RuntimeError, match="closed"):
        await components_of(app)[DaprClient].invoke("anyone", "GET", "/")
    assert components_of(app)[Database].engine.pool.status().endswith("Current Checked out connections: 0")
    assert [task for task in asyncio.all_tasks() if task.get_name() in {"caller_changes", "outbox"}] == []


@pytest.mark.parametrize(("error", "is_logged"), [(ConnectionError("cut"), False), (ValueError("ours"), True)])
async def test_what_nobody_waits_for_is_logged_unless_it_is_an_outage(
    error: Exception, is_logged: bool, logged: Logged
) -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    failures = REGISTRY.get_sample_value("budapp_dependency_failures_total", {"dependency": "postgresql"}) or 0

    async def failing() -> None:
        raise error

    log_abandoned_errors()
    try:
        asyncio.create_task(failing())  # noqa: RUF006 - it is to be forgotten
        await asyncio.sleep(0.01)
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    assert bool(logged.of("abandoned_task_failed")) == is_logged
    assert ("Traceback" in logged.text) == is_logged
    counted = REGISTRY.get_sample_value("budapp_dependency_failures_total", {"dependency": "postgresql"}) or 0
    assert (counted > failures) != is_logged
