"""Periodic work: each job runs in one replica at a time, however many there are.

Every replica looks whether a job is due; the one that takes the lease of its row in `job_schedule` runs it. The lease
is short and renewed while the job runs, so that another replica takes over within a minute where this one dies. Who
can't renew it, or finds that somebody else has it, stops; a run that takes longer than the job's `limit` is cut off.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import Counter
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from budapp.commons.auditing import NotAudited
from budapp.commons.background import BackgroundTasks
from budapp.commons.context import Provenance, coming_from
from budapp.commons.database import Database
from budapp.commons.leases import Lease, LeasedRow, from_now, is_free, lease_of, renewed, taken
from budapp.commons.logging import get_logger
from budapp.commons.outages import log_failure

logger = get_logger(__name__)

RUNS = Counter("budapp_job_runs", "Runs of periodic jobs", ["job", "outcome"])


class JobSchedule(LeasedRow):
    """When a job is due next; the replica that runs it now has the lease."""

    __tablename__ = "job_schedule"
    audited = NotAudited("when work comes round, not what it does")

    name: Mapped[str] = mapped_column(unique=True)
    due_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is due again `every` so often after its last run; it must bear being cut off and run again.

    Attributes:
        name: tells it from the other jobs.
        every: how long it rests between runs.
        run: does the work.
        limit: how long a run may take at most.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[object]]
    limit: timedelta = timedelta(minutes=5)


class Jobs:
    """The periodic jobs of the process; `start` with it, `stop` before the pools close.

    Args:
        database: where the schedule is.
        jobs: the jobs.
        lease: how long another replica waits where this one dies in a job.
    """

    def __init__(self, database: Database, jobs: Sequence[Job] = (), lease: timedelta = timedelta(minutes=1)) -> None:
        self._database = database
        self._lease_time = lease
        self._jobs = jobs
        self._tasks = BackgroundTasks()

    async def start(self) -> None:
        """Begin to look for due jobs, in the background."""
        self._tasks.run(**{f"job {job.name}": partial(self._repeat, job) for job in self._jobs})

    async def stop(self) -> None:
        """Cut off what runs; another replica takes it up at once."""
        await self._tasks.stop()

    async def run_if_due(self, job: Job) -> bool:
        """Run the job unless another replica does, or has lately; tell whether it ran. What it raises is logged."""
        lease = await self._claim(job)
        if lease is None:
            return False
        outcome = "completed"
        try:
            with coming_from(Provenance("job", job.name)):
                async with asyncio.timeout(job.limit.total_seconds()), self._renewed(lease):
                    await job.run()
        except asyncio.CancelledError:
            await self._settle(lease, again_in=timedelta(0))
            raise
        except Exception as error:  # noqa: BLE001 - a boundary: whatever it was, the job comes round again
            outcome = "failed"
            log_failure(logger, "job_failed", error, job=job.name)
        RUNS.labels(job.name, outcome).inc()
        await self._settle(lease, again_in=job.every)
        return True

    async def _repeat(self, job: Job) -> None:
        while True:
            await self.run_if_due(job)
            await asyncio.sleep(job.every.total_seconds() * random.uniform(0.5, 1))  # noqa: S311 - jitter

    def _renewed(self, lease: Lease) -> AbstractAsyncContextManager[None]:
        return renewed(self._database, lease, self._lease_time)

    async def _claim(self, job: Job) -> Lease | None:
        claim = taken(self._lease_time)
        due = JobSchedule.due_at <= func.now()
        statement = (
            insert(JobSchedule)
            .values(id=uuid7(), name=job.name, due_at=func.now(), **claim)
            .on_conflict_do_update(index_elements=["name"], set_=claim, where=due & is_free(JobSchedule))
            .returning(JobSchedule)
        )
        async with self._database.write() as session:
            claimed: JobSchedule | None = await session.scalar(statement)
        return lease_of(claimed) if claimed is not None else None

    async def _settle(self, lease: Lease, *, again_in: timedelta) -> None:
        async with self._database.write() as session:
            await lease.settle(session, due_at=from_now(again_in))
