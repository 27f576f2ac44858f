"""Notices a request that holds the event loop.

Asyncio's own warning of slow callbacks goes by the clock on the wall, which runs on while other workers have the
processor. This goes by the processor time of the loop's own thread, without that of the garbage collector.
"""

import gc
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

MOST_SECONDS = 0.15
"""Three times what a usual machine should need: those that run the tests are slower, and not always equally so. The
first time that a large statement is compiled takes the most."""

_collecting = {"since": 0.0, "seconds": 0.0}


def _count_collection(phase: str, _info: Mapping[str, Any]) -> None:
    if phase == "start":
        _collecting["since"] = time.thread_time()
    else:
        _collecting["seconds"] += time.thread_time() - _collecting["since"]


gc.callbacks.append(_count_collection)


class LoopWatch:
    """An application in whose place the real one answers; `held` says where the loop was held too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.held: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        def note(seconds: float) -> None:
            if seconds > MOST_SECONDS:
                self.held.append(f"{scope.get('method')} {scope['path']} held the loop for {seconds * 1000:.0f} ms")

        await _Steps(self._app(scope, receive, send), note)  # type: ignore[arg-type]  # it is a coroutine


async def longest_step(work: Coroutine[Any, Any, Any]) -> float:
    """Await the work, and return the processor seconds of its longest step between two of its own awaits."""
    steps: list[float] = []
    await _Steps(work, steps.append)
    return max(steps)


class _Steps:
    """Awaits a coroutine, and tells the processor time of each step between two of its own awaits."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], note: Callable[[float], None]) -> None:
        self._coroutine = coroutine
        self._note = note

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            try:
                waited_for = self._timed(step)
            except StopIteration:
                return
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - whatever was raised is raised where it was awaited
                step = _throwing(self._coroutine, error)
            else:
                step = lambda: self._coroutine.send(None)  # noqa: E731

    def _timed(self, step: Callable[[], Any]) -> Any:
        started, collected = time.thread_time(), _collecting["seconds"]
        try:
            return step()
        finally:
            self._note(time.thread_time() - started - (_collecting["seconds"] - collected))


def _throwing(coroutine: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(error)
