"""Puts what was committed into the streams, in every replica.

Two replicas may do so with the same events: an event that is in its stream already is passed over, and each goes
through them in the same order, so that the order in the stream is that of the changes of each object.
"""

import asyncio
from datetime import timedelta

from prometheus_client import Counter, Gauge

from budapp.commons.background import BackgroundTasks
from budapp.commons.database import Database
from budapp.commons.hooks import Hooks
from budapp.live_ops import crud, hooks
from budapp.live_ops.streams import EventStreams

POLL_SECONDS = 1
_AT_ONCE = 200
_LEFT_BEHIND = timedelta(seconds=1)
"""What another process has not told itself by then is told by others."""

TOLD = Counter("budapp_live_events", "Events put into the streams")
BEHIND = Gauge("budapp_live_events_waiting", "Events that were read for the streams and are not in yet")


class Publisher:
    """The background task; `start` it with the process and `stop` it before the pools close.

    Where Valkey does not answer it breaks off and is started again: the events wait in PostgreSQL.
    """

    def __init__(self, database: Database, streams: EventStreams, registered: Hooks) -> None:
        self._database = database
        self._streams = streams
        self._hooks = registered
        self._wakeup = asyncio.Event()
        self._tasks = BackgroundTasks()

    async def start(self) -> None:
        """Begin, in the background."""
        crud.wakeups.add(self._wakeup)
        self._tasks.run(live_events=self._run)

    async def stop(self) -> None:
        """Break off; another replica, or the next start, goes on."""
        crud.wakeups.discard(self._wakeup)
        await self._tasks.stop()

    async def look(self, *, left_behind: bool = False) -> None:
        """Tell everything that waits; or only what another process should have told by now."""
        while await self._tell(_LEFT_BEHIND if left_behind else None):
            pass

    async def _tell(self, older_than: timedelta | None) -> int:
        async with self._database.read() as session:
            rows = await crud.waiting(session, _AT_ONCE, older_than=older_than)
        if not rows:
            return 0
        BEHIND.set(len(rows))
        await self._streams.append(rows)
        async with self._database.write() as session:
            mine = await crud.forget(session, [row.id for row in rows])
            told = [row for row in rows if row.id in mine]
            for take in self._hooks.all(hooks.after_telling):
                await take(session, told)
        TOLD.inc(len(told))
        BEHIND.set(0)
        return len(rows)

    async def _run(self) -> None:
        own = False
        while True:
            self._wakeup.clear()
            await self.look(left_behind=not own)
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    own = await self._wakeup.wait()
            except TimeoutError:
                own = False
