"""Leases: a row that one process at a time works on, for so long, without a transaction that is open meanwhile.

Who takes a row draws a token and writes it there with the moment at which the lease is over. Renewing and settling ask
for that token: whoever was too slow, and whose row another process has taken over, changes nothing. PostgreSQL's clock
counts, whichever replica asks. `docs/locking.md` lists every lease.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, delete, func, update
from sqlalchemy.orm import Mapped

from budapp.commons.database import Base, Database, WriteSession, among


class LeasedRow(Base):
    """The base of tables whose rows are taken for a while."""

    __abstract__ = True

    lock_token: Mapped[UUID | None]
    lock_expires_at: Mapped[datetime | None]


Row = TypeVar("Row", bound=LeasedRow)


def from_now(length: timedelta) -> ColumnElement[datetime]:
    """Return the moment in so long, by PostgreSQL's clock."""
    return func.now() + length


class LeaseLost(Exception):
    """Another process has taken the row over."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a row, until it is over and somebody else takes it."""

    table: type[LeasedRow]
    row_id: UUID
    token: UUID

    async def renew(self, session: WriteSession, length: timedelta) -> None:
        """Have the lease last for `length` from now on; raises `LeaseLost`."""
        if not await self.change(session, lock_expires_at=from_now(length)):
            raise LeaseLost(f"{self.table.__tablename__} {self.row_id}")

    async def settle(self, session: WriteSession, **values: Any) -> bool:
        """Change the row and let go of it; False where the lease is lost, and nothing has changed."""
        return await self.change(session, lock_token=None, lock_expires_at=None, **values)

    async def change(self, session: WriteSession, **values: Any) -> bool:
        """Change the row and keep it; False where the lease is lost, and nothing has changed."""
        statement = update(self.table).where(*self._mine).values(**values).returning(self.table.id)
        return await session.scalar(statement.execution_options(synchronize_session=False)) is not None

    async def delete(self, session: WriteSession, *only_if: ColumnElement[bool]) -> bool:
        """Delete the row; False where the lease is lost, or a condition not met, and nothing has changed."""
        statement = delete(self.table).where(*self._mine, *only_if).returning(self.table.id)
        return await session.scalar(statement.execution_options(synchronize_session=False)) is not None

    @property
    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (self.table.id == self.row_id, self.table.lock_token == self.token)


def lease_of(row: LeasedRow) -> Lease:
    """Return the lease of a row that has just been taken."""
    assert row.lock_token is not None
    return Lease(type(row), row.id, row.lock_token)


def is_free(table: type[LeasedRow]) -> ColumnElement[bool]:
    """Return the condition that nobody has taken the row, or the lease is over."""
    return func.coalesce(table.lock_expires_at <= func.now(), True)


def taken(length: timedelta) -> dict[str, Any]:
    """Return the values that take a row, for an insert or an update that asks for `is_free`."""
    return {"lock_token": uuid4(), "lock_expires_at": from_now(length)}


async def take(
    session: WriteSession, table: type[Row], candidates: Select[UUID], length: timedelta, **values: Any
) -> Sequence[Row]:
    """Take those of the rows that are free, pass over those that others are taking, and return them.

    Args:
        session: a unit of work; commit it before the work begins.
        table: the rows' table.
        candidates: selects the ids of rows of the table that want work.
        length: how long the lease lasts unless it is renewed.
        values: what else changes in the rows.
    """
    free = candidates.where(is_free(table)).with_for_update(of=table, skip_locked=True)
    ids = (await session.scalars(free)).all()
    if not ids:
        return []
    change = update(table).where(among(table.id, ids)).values(**taken(length), **values).returning(table)
    refreshed = {"synchronize_session": False, "populate_existing": True}
    return (await session.scalars(change.execution_options(**refreshed))).all()


@asynccontextmanager
async def renewed(database: Database, lease: Lease, length: timedelta) -> AsyncIterator[None]:
    """Renew the lease while the block runs, three times as often as it needs; the block ends where that fails.

    Raises:
        ExceptionGroup: what the block raised, or `LeaseLost`, or why the lease could not be renewed.
    """
    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(_renew(database, lease, length))
        yield
        renewing.cancel()


async def _renew(database: Database, lease: Lease, length: timedelta) -> None:
    while True:
        await asyncio.sleep(length.total_seconds() / 3)
        async with database.write() as session:
            await lease.renew(session, length)
