"""What one client is sent, from when it comes until it goes."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from budapp.commons.access import Caller
from budapp.commons.domain import provided
from budapp.commons.errors import Unavailable
from budapp.commons.logging import get_logger
from budapp.commons.outages import log_failure
from budapp.live_ops.hub import RESETS, Hub, Stream
from budapp.live_ops.schemas import EntryId, EventQuery

logger = get_logger(__name__)

HEARTBEAT_SECONDS = 15
NOTICE_SECONDS = 60
"""How long before its end a token's client is asked for another one; at most a third of the time that is left."""

HubDep = Annotated[Hub, provided(Hub)]


async def open_stream(hub: Hub, caller: Caller, query: EventQuery, last_id: str | None) -> "Sending":
    """Open a stream of the events that the caller may read.

    Raises:
        Unavailable: Valkey does not answer.
        TooManyRequests: too many streams are open.
    """
    stream, since = await hub.join(caller, query, last_id or None)
    return Sending(hub, stream, since, query.max_seconds)


class Sending:
    """One client's stream, as it goes out; whoever opens it closes it."""

    def __init__(self, hub: Hub, stream: Stream, since: EntryId | None, seconds: int | None) -> None:
        self._hub = hub
        self._stream = stream
        self._since = since
        ends_at = stream.caller.token_expires_at.timestamp()
        left = max(ends_at - time.time(), 0)
        self._began = time.monotonic()
        self._token_ends = self._began + left
        self._notice_at: float | None = self._token_ends - min(NOTICE_SECONDS, left / 3)
        self._last = self._began + seconds if seconds is not None else self._token_ends

    def close(self) -> None:
        """Have nothing more wait for the client."""
        self._hub.leave(self._stream)

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield what is sent."""
        try:
            async with aclosing(self._missed()) as missed:
                async for frame in missed:
                    yield frame
            while True:
                frame = await self._next()
                yield frame
                if frame.startswith(b"event: end"):
                    return
        except (RedisError, DBAPIError, PoolTimeout, OSError, Unavailable) as error:
            log_failure(logger, "live_stream_broke_off", error)
            yield _frame("end", {"reason": "unavailable"})

    async def _missed(self) -> AsyncGenerator[bytes, None]:
        until = self._stream.position
        if self._since is None:
            RESETS.labels("unknown").inc()
            yield _frame("reset", {"reason": "too_old"}, until)
            return
        after = self._since
        while after < until:
            events, after = await self._hub.catch_up(self._stream, after, until)
            for event in events:
                yield event.frame
        yield _frame("ready", {}, until)

    async def _next(self) -> bytes:
        """Return what is sent next: an event, or what the client must know, or a heartbeat."""
        stream = self._stream
        beat_at = time.monotonic() + HEARTBEAT_SECONDS
        while True:
            if stream.ended:
                return _frame("end", {"reason": stream.ended})
            if stream.lost:
                return self._reset()
            if stream.events:
                return stream.events.popleft().frame
            moment = time.monotonic()
            if self._notice_at is not None and moment >= self._notice_at:
                self._notice_at = None
                return _frame("token", {"expires_at": stream.caller.token_expires_at.isoformat()})
            if moment >= min(self._last, self._token_ends):
                return _frame("end", {"reason": "token_expired" if moment >= self._token_ends else "max_seconds"})
            if moment >= beat_at:
                # A block without data is no event to the client, but it learns the id.
                return f": heartbeat\nid: {self._hub.position(stream)}\n\n".encode()
            dues = (beat_at, self._last, self._token_ends, self._notice_at or beat_at)
            await stream.wait(min(dues) - moment)

    def _reset(self) -> bytes:
        RESETS.labels("slow").inc()
        self._stream.lost = False
        self._stream.position = self._hub.position(self._stream)
        return _frame("reset", {"reason": "too_slow"}, self._stream.position)


def _frame(type: str, data: dict[str, Any], id: EntryId | None = None) -> bytes:
    lines = [f"event: {type}", f"data: {json.dumps(data)}", *([f"id: {id}"] if id is not None else [])]
    return ("\n".join(lines) + "\n\n").encode()
