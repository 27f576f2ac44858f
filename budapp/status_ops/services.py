"""How the service is, on one page: what it depends on, what waits, what is stuck, and what has failed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from budapp import __version__
from budapp.commons.database import Database, now
from budapp.commons.errors import Unavailable
from budapp.commons.health import HealthChecks, run_checks
from budapp.commons.schemas import Schema
from budapp.gateway_ops.services import GatewayTables
from budapp.status_ops import crud

_DIFF_SECONDS = 5


class Numbers(Schema):
    outbox_waiting: int
    outbox_seconds: float
    outbox_failing: int
    outbox_dead: int
    inbox_waiting: int
    inbox_dead: int
    workflows_open: int
    workflows_running: int
    workflows_stuck: int


class JobRow(Schema):
    name: str
    modified_at: datetime
    due_at: datetime
    lock_expires_at: datetime | None


class ErrorRow(Schema):
    at: datetime
    kind: str
    what: str
    why: str | None


class GatewayState(Schema):
    """How far the gateway's tables are from what PostgreSQL says; null where that could not be found out in time."""

    missing: int
    extra: int
    different: int
    refused: int


class Status(Schema):
    version: str
    at: datetime
    dependencies: dict[str, str]
    numbers: Numbers
    jobs: Sequence[JobRow]
    errors: Sequence[ErrorRow]
    gateway: GatewayState | None


class StatusPage:
    """Looks at everything at once."""

    def __init__(self, database: Database, checks: HealthChecks, tables: GatewayTables) -> None:
        self._database = database
        self._checks = checks
        self._tables = tables

    async def look(self) -> Status:
        """Return how the service is.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        health, gateway = await asyncio.gather(run_checks(self._checks), self._gateway())
        async with self._database.read() as session:
            numbers = await crud.numbers(session)
            jobs, errors = await crud.jobs(session), await crud.errors(session)
        return Status(
            version=__version__,
            at=now(),
            dependencies=dict(health.dependencies),
            numbers=Numbers.model_validate(numbers),
            jobs=[JobRow.model_validate(row) for row in jobs],
            errors=[ErrorRow.model_validate(row) for row in errors],
            gateway=gateway,
        )

    async def _gateway(self) -> GatewayState | None:
        try:
            async with asyncio.timeout(_DIFF_SECONDS):
                found = await self._tables.diff()
        except (TimeoutError, Unavailable, OSError):
            return None
        counts = {name: len(getattr(found, name)) for name in GatewayState.model_fields}
        return GatewayState(**counts)
