"""How long a request may take: `REQUEST_SECONDS` from its arrival as a whole, unless its route declares another time.

Whoever has to wait longer for a store or a peer is answered 503, and what was begun is rolled back. An answer that has
begun to leave is not cut off.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from budapp.commons.error_handlers import error_response
from budapp.commons.errors import Unavailable
from budapp.commons.logging import get_logger

logger = get_logger(__name__)

_TOO_LONG = "The request timed out; try again later"

TRIGGER_SECONDS = 60
"""For a route that asks a peer to begin work."""
UPLOAD_SECONDS = 120
"""For a route that stores a file."""

_AGAIN_SECONDS = 2


class _Deadline:
    """The time that is left for one request; the clock stands still while the client sends its body."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.timeout = asyncio.timeout(seconds)

    def allow(self, seconds: float) -> None:
        self._seconds = seconds
        self._begin_anew()

    @contextmanager
    def insisting(self) -> Iterator[None]:
        """Cancel the block again where it goes on after the deadline.

        A cancellation is lost where it meets the end of what is awaited, in `asyncio.wait_for` before Python 3.12.
        """
        loop, task, cancelled = asyncio.get_running_loop(), asyncio.current_task(), 0
        assert task is not None
        timer: asyncio.TimerHandle

        def check() -> None:
            nonlocal cancelled, timer
            ends_at = self.timeout.when()
            if self.timeout.expired():
                cancelled += 1
                task.cancel()
                ends_at = loop.time()
            if ends_at is not None:
                timer = loop.call_at(ends_at + _AGAIN_SECONDS, check)

        timer = loop.call_later(self._seconds + _AGAIN_SECONDS, check)
        try:
            yield
        finally:
            timer.cancel()
            for _ in range(cancelled):
                task.uncancel()

    def receiving(self, receive: Receive) -> Receive:
        async def timed() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._begin_anew()
            return message

        return timed

    def sending(self, send: Send) -> Send:
        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start" and not self.timeout.expired():
                self.timeout.reschedule(None)
            await send(message)

        return timed

    def _begin_anew(self) -> None:
        if self.timeout.when() is not None and not self.timeout.expired():
            self.timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)


class DeadlineMiddleware:
    """Gives each request its deadline; the innermost layer, so that its answer passes through all others.

    Args:
        app: what comes next.
        seconds: what a request may take whose route declares nothing.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["deadline"] = deadline = _Deadline(self._seconds)
        try:
            async with deadline.timeout:
                with deadline.insisting():
                    await self._app(scope, deadline.receiving(receive), deadline.sending(send))
        except TimeoutError:
            if not deadline.timeout.expired():
                raise
            logger.warning("request_took_too_long", method=scope["method"], path=scope["path"])
            await error_response(Unavailable(_TOO_LONG), scope["path"])(scope, receive, send)


def may_take(seconds: float) -> Any:
    """Declare that a route may take so many seconds: `@router.post("/x", dependencies=[may_take(TRIGGER_SECONDS)])`."""

    async def allow(request: Request) -> None:
        deadline: _Deadline | None = request.scope.get("deadline")
        if deadline is not None:
            deadline.allow(seconds)

    return Depends(allow)
