"""What waits and what is stuck, of all tenants, for Prometheus; the same on all replicas."""

import asyncio

from prometheus_client import Gauge

from budapp.commons.background import BackgroundTasks
from budapp.commons.database import Database
from budapp.status_ops import crud

PAUSE_SECONDS = 60

WORKFLOWS = Gauge("budapp_workflows", "Workflows: open, running at a service, and past their deadline", ["state"])
WORKFLOW_AGE = Gauge(
    "budapp_workflow_oldest_seconds", "Age of the oldest such workflow; of stuck ones, since the deadline", ["state"]
)
INBOX = Gauge("budapp_inbox_waiting", "Events that failed and will be handled again")
INBOX_AGE = Gauge("budapp_inbox_lag_seconds", "Age in seconds of the oldest such event")
INBOX_DEAD = Gauge("budapp_inbox_dead", "Events that were set aside and are kept")
UNSEALED = Gauge("budapp_audit_unsealed", "Audit entries that wait for their place in the chain")

_STATES = ("open", "running", "stuck")


class Figures:
    """Looks once a minute; `start` with the process, `stop` before the pools close."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks = BackgroundTasks()

    async def start(self) -> None:
        """Begin to look, in the background."""
        self._tasks.run(figures=self._watch)

    async def stop(self) -> None:
        """Look no more."""
        await self._tasks.stop()

    async def _watch(self) -> None:
        while True:
            await self.measure()
            await asyncio.sleep(PAUSE_SECONDS)

    async def measure(self) -> None:
        """Take down what waits now."""
        async with self._database.read() as session:
            numbers = await crud.numbers(session)
        for state in _STATES:
            WORKFLOWS.labels(state).set(getattr(numbers, f"workflows_{state}"))
            WORKFLOW_AGE.labels(state).set(getattr(numbers, f"workflows_{state}_seconds"))
        INBOX.set(numbers.inbox_waiting)
        INBOX_AGE.set(numbers.inbox_seconds)
        INBOX_DEAD.set(numbers.inbox_dead)
        UNSEALED.set(numbers.audit_unsealed)
