"""Work that goes on for as long as the process lives, and is started again where it breaks off."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import Counter, Gauge

from budapp.commons.logging import get_logger
from budapp.commons.outages import log_failure

logger = get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 5
_SETTLED_SECONDS = 60

RUNNING = Gauge("budapp_background_running", "1 while the task runs, 0 while it waits for its restart", ["task"])
RESTARTS = Counter("budapp_background_restarts", "Background tasks that failed and were restarted", ["task"])


def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """Run the work in the background until it returns or is stopped.

    Where it raises, that is logged and counted, and it is started again: after half a second at first, after twice as
    long each time it breaks off soon again, up to 5 s.

    Args:
        name: tells the task from others in logs and metrics.
        work: what is done; it must bear being begun anew at any moment.
    """
    return asyncio.create_task(_keep_running(name, work), name=name)


class BackgroundTasks:
    """The tasks of a component: kept running between its `start` and its `stop`."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, **works: Callable[[], Awaitable[None]]) -> None:
        """Begin each work under its name; see `keep_running`."""
        self._tasks += [keep_running(name, work) for name, work in works.items()]

    async def finish(self, seconds: float) -> None:
        """Give the tasks so many seconds to end by themselves."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def stop(self) -> None:
        """Cut off what runs; does nothing where nothing does."""
        await stop(*self._tasks)
        self._tasks = []


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cut the tasks off and wait for them; what they raise meanwhile is of no interest any more.

    A task that goes on is cut off again each second: redis swallows a cancellation while it connects.
    """
    going_on = set(tasks)
    while going_on:
        for task in going_on:
            task.cancel()
        _, going_on = await asyncio.wait(going_on, timeout=1)
    await asyncio.gather(*tasks, return_exceptions=True)


def log_abandoned_errors() -> None:
    """Have the running loop log what a task raised that nobody waits for any more; an outage is counted in its place.

    SQLAlchemy leaves such a task behind where a request is cut off while a dead connection is being closed.
    """
    asyncio.get_running_loop().set_exception_handler(_log_abandoned)


def _log_abandoned(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is None:
        loop.default_exception_handler(context)
    else:
        log_failure(logger, "abandoned_task_failed", error, reason=context["message"])


async def _keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    pause = FIRST_PAUSE_SECONDS
    running, restarts = RUNNING.labels(name), RESTARTS.labels(name)
    while True:
        started = time.monotonic()
        running.set(1)
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - a boundary: whatever it was, the work goes on
            log_failure(logger, "background_task_broke_off", error, task=name)
        finally:
            running.set(0)
        if time.monotonic() - started > _SETTLED_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
        restarts.inc()
        pause = min(pause * 2, MAX_PAUSE_SECONDS)
