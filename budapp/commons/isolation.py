"""Loops over the items of many owners: what goes wrong with one item is that item's, and the others never wait for it.

The reason is kept in `job_failure`, and the item tried again after a pause that grows. After `MAX_TRIES` it is set
aside and tried once a day, until it works out or is gone. A query that takes only so many items at a time leaves out
those that wait (`is_due`), lest they crowd out the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from prometheus_client import Counter
from sqlalchemy import ColumnElement, String, UniqueConstraint, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column
from uuid_utils.compat import uuid7

from budapp.commons.auditing import NotAudited
from budapp.commons.backoff import pause_after
from budapp.commons.database import Base, Database, WriteSession, now
from budapp.commons.errors import Unavailable
from budapp.commons.logging import get_logger
from budapp.commons.outages import dependency_of
from budapp.commons.storable import error_text

logger = get_logger(__name__)

MAX_TRIES = 5
SET_ASIDE_FOR = timedelta(days=1)
_FORGOTTEN_AFTER = timedelta(days=7)

FAILURES = Counter("budapp_job_item_failures", "Items that failed in a job and will be retried", ["job"])
SET_ASIDE = Counter("budapp_job_items_set_aside", "Items that a job retries only once a day", ["job"])

Item = TypeVar("Item")


class JobFailure(Base):
    """An item that a job could not do, and why; deleted once it is done."""

    __tablename__ = "job_failure"
    audited = NotAudited("what became of work, not what it changed")
    __table_args__ = (UniqueConstraint("job", "item"),)

    job: Mapped[str]
    item: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str]
    next_attempt_at: Mapped[datetime]


def is_due(job: str, item: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return the condition that an item does not wait for its next try.

    Args:
        job: the name that `each_isolated` has.
        item: the column with what identifies an item there.
    """
    waiting = (JobFailure.job == job, JobFailure.item == cast(item, String), JobFailure.next_attempt_at > func.now())
    return ~select(JobFailure.id).where(*waiting).exists()


async def forget_failure(session: WriteSession, job: str, item: object) -> None:
    """Have the item tried again at once: somebody has changed what it failed by."""
    await session.execute(delete(JobFailure).where(JobFailure.job == job, JobFailure.item == str(item)))


async def each_isolated(
    database: Database,
    job: str,
    items: Iterable[Item],
    work: Callable[[Item], Awaitable[object]],
    *,
    key: Callable[[Item], object] = str,
    at_once: int = 1,
    seconds: float = 60,
    passing: tuple[type[Exception], ...] = (),
) -> None:
    """Do the work for each item that does not wait for its next try.

    Args:
        database: where failures are kept.
        job: tells these items from those of other loops.
        items: what there is to do.
        work: does it for one item, in units of work of its own.
        key: what identifies an item.
        at_once: how many items are worked on side by side.
        seconds: how long one item may take.
        passing: errors that no item is to blame for, and that all would meet: they end the loop, and are raised.

    Raises:
        ExceptionGroup: one of `passing`, or a failure could not be written down.
    """
    waiting = list(items)
    if waiting:
        await _Loop(database, job, work, key, asyncio.Semaphore(at_once), seconds, passing).run(waiting)


@dataclass(frozen=True, slots=True)
class _Loop(Generic[Item]):
    database: Database
    job: str
    work: Callable[[Item], Awaitable[object]]
    key: Callable[[Item], object]
    at_once: asyncio.Semaphore
    seconds: float
    passing: tuple[type[Exception], ...]

    async def run(self, items: list[Item]) -> None:
        failures = await self._failures()
        async with asyncio.TaskGroup() as group:
            for item in items:
                failure = failures.get(str(self.key(item)))
                if failure is None or failure.next_attempt_at <= now():
                    group.create_task(self._one(item, failure))

    async def _one(self, item: Item, failure: JobFailure | None) -> None:
        async with self.at_once:
            try:
                async with asyncio.timeout(self.seconds):
                    await self.work(item)
            except self.passing:
                raise
            except Exception as error:  # noqa: BLE001 - a boundary: whatever it was, it is noted and tried again
                await self._note(str(self.key(item)), failure.attempts if failure else 0, error)
                return
        if failure is not None:
            async with self.database.write() as session:
                await session.execute(delete(JobFailure).where(JobFailure.id == failure.id))

    async def _failures(self) -> dict[str, JobFailure]:
        async with self.database.read() as session:
            found = (await session.scalars(select(JobFailure).where(JobFailure.job == self.job))).all()
        before = now() - _FORGOTTEN_AFTER
        if any(failure.next_attempt_at < before for failure in found):
            async with self.database.write() as session:
                stale = (JobFailure.job == self.job, JobFailure.next_attempt_at < before)
                await session.execute(delete(JobFailure).where(*stale))
        return {failure.item: failure for failure in found}

    async def _note(self, item: str, attempts: int, error: Exception) -> None:
        """Write down why the item failed; that something is down is not counted against it."""
        is_outage = isinstance(error, Unavailable) or dependency_of(error) is not None
        attempts += not is_outage
        is_set_aside = attempts >= MAX_TRIES
        pause = SET_ASIDE_FOR if is_set_aside else pause_after(attempts + 1)
        values = {"attempts": attempts, "reason": error_text(error), "next_attempt_at": func.now() + pause}
        statement = insert(JobFailure).values(id=uuid7(), job=self.job, item=item, **values)
        upsert = statement.on_conflict_do_update(index_elements=["job", "item"], set_={**values, "modified_at": now()})
        async with self.database.write() as session:
            await session.execute(upsert)
        FAILURES.labels(self.job).inc()
        if is_set_aside:
            SET_ASIDE.labels(self.job).inc()
        log = logger.error if is_set_aside else logger.warning
        cause = {"reason": error_text(error)} if is_outage else {"exc_info": error}
        log("job_item_failed", job=self.job, item=item, attempts=attempts, set_aside=is_set_aside, **cause)
