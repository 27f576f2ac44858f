"""Brings changes into the gateway's tables as soon as they are committed, in every replica."""

import asyncio

from budapp.commons.background import BackgroundTasks
from budapp.gateway_changes import services as changes
from budapp.gateway_ops.services import GatewayTables

POLL_SECONDS = 0.5
"""How long what another process has left, or that Valkey is empty, may go unseen."""


class GatewayWorker:
    """The background task; `start` it with the process and `stop` it before the pools close.

    Where Valkey does not answer it breaks off and is started again: the changes wait in PostgreSQL.
    """

    def __init__(self, tables: GatewayTables) -> None:
        self._tables = tables
        self._wakeup = asyncio.Event()
        self._tasks = BackgroundTasks()

    async def start(self) -> None:
        """Begin, in the background."""
        changes.wakeups.add(self._wakeup)
        self._tasks.run(gateway_tables=self._run)

    async def stop(self) -> None:
        """Break off; another replica, or the next start, goes on."""
        changes.wakeups.discard(self._wakeup)
        await self._tasks.stop()

    async def look(self) -> None:
        """Bring everything in that waits; build the tables where there are none."""
        if not await self._tables.is_built():
            await self._tables.rebuild()
        while await self._tables.apply_changes():
            pass

    async def _run(self) -> None:
        while True:
            self._wakeup.clear()
            await self.look()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wakeup.wait()
            except TimeoutError:
                pass
