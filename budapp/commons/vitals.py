"""How this process is: how late its event loop is, and how its connections to PostgreSQL are used."""

import asyncio
import time

from prometheus_client import Gauge, Histogram

from budapp.commons.background import BackgroundTasks
from budapp.commons.database import Database

PAUSE_SECONDS = 0.5

LAG = Histogram(
    "budapp_event_loop_lag_seconds",
    "How much later than it was due a task went on",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
CONNECTIONS = Gauge("budapp_postgresql_connections", "Connections to PostgreSQL", ["pool", "state"])
WAITING = Gauge("budapp_postgresql_waiting", "How many wait for a connection to PostgreSQL", ["pool"])


class Vitals:
    """Looks twice a second; `start` with the process, `stop` before the pools close."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks = BackgroundTasks()

    async def start(self) -> None:
        """Begin to look, in the background."""
        self._tasks.run(vitals=self._watch)

    async def stop(self) -> None:
        """Look no more."""
        await self._tasks.stop()

    async def _watch(self) -> None:
        while True:
            due = time.perf_counter() + PAUSE_SECONDS
            await asyncio.sleep(PAUSE_SECONDS)
            LAG.observe(max(0, time.perf_counter() - due))
            self.measure()

    def measure(self) -> None:
        """Take down how the pools are."""
        for pool in self._database.pools():
            CONNECTIONS.labels(pool.name, "in_use").set(pool.in_use)
            CONNECTIONS.labels(pool.name, "idle").set(pool.idle)
            WAITING.labels(pool.name).set(pool.waiting)
