"""Sealing everything anew with the current key, while the service runs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, select, update

from budapp.commons.database import Base, Database
from budapp.commons.encrypted_columns import SealedColumn, sealed_columns
from budapp.commons.encryption import DecryptionError
from budapp.commons.logging import get_logger

logger = get_logger(__name__)

BATCH = 100
_PASSES = 5
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How many rows of a column are sealed with a key."""

    column: str
    key_id: str
    rows: int


@dataclass(slots=True)
class Rotation:
    """What has been done to one column so far, of about as many rows as `total`."""

    column: str
    total: int
    resealed: int = 0
    unreadable: int = 0
    left: int = 0


Report = Callable[[Rotation], None]


async def key_uses(database: Database) -> list[KeyUse]:
    """Return which keys the sealed columns use, by column and key id; columns without rows are left out."""
    uses = []
    async with database.read() as session:
        for sealed in sealed_columns(Base.metadata):
            counts = select(_key_id(sealed).label("key_id"), func.count()).where(sealed.column.is_not(None))
            found = (await session.execute(counts.group_by("key_id"))).all()
            uses += [KeyUse(str(sealed), key_id, rows) for key_id, rows in sorted(found)]
    return uses


async def rotate(database: Database, report: Report, *, batch: int = BATCH) -> list[Rotation]:
    """Seal every row with the current key that is not, a batch to a transaction.

    Can be stopped at any moment and begun again, and run beside writers and beside another rotation: rows that are
    locked are passed over and tried again, `left` tells how many there are in the end.

    Args:
        database: what to go through, with the old keys and the current one.
        report: told of each column after each batch.
        batch: rows per transaction, which are locked for its length.
    """
    return [await _rotate_column(database, sealed, report, batch) for sealed in sealed_columns(Base.metadata)]


async def _rotate_column(database: Database, sealed: SealedColumn, report: Report, batch: int) -> Rotation:
    rotation = Rotation(str(sealed), await _count_outdated(database, sealed))
    for attempt in range(_PASSES):
        rotation.unreadable = 0
        after: UUID | None = None
        while (after := await _rotate_batch(database, sealed, after, batch, rotation)) is not None:
            report(rotation)
        rotation.left = await _count_outdated(database, sealed) - rotation.unreadable
        if rotation.left <= 0 or attempt == _PASSES - 1:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    report(rotation)
    return rotation


async def _rotate_batch(
    database: Database, sealed: SealedColumn, after: UUID | None, batch: int, rotation: Rotation
) -> UUID | None:
    """Seal the next rows behind an id, and return the last id of them; None where there are no more."""
    table, column = sealed.table, sealed.column
    statement = select(table.c.id, column, *sealed.parts).where(*_outdated(database, sealed))
    if after is not None:
        statement = statement.where(table.c.id > after)
    statement = statement.order_by(table.c.id).limit(batch).with_for_update(skip_locked=True)
    changes = []
    async with database.write() as session:
        rows = (await session.execute(statement)).mappings().all()
        for row in rows:
            try:
                changes.append({"row_id": row["id"], "text": sealed.reseal(database.encryption, dict(row))})
            except DecryptionError as error:
                rotation.unreadable += 1
                logger.warning("secret_unreadable", column=str(sealed), row=str(row["id"]), reason=str(error))
        if changes:
            # The row says nothing new, so it keeps the moment of its last change.
            fresh = {column.name: bindparam("text"), "modified_at": table.c.modified_at}
            change = update(table).where(table.c.id == bindparam("row_id")).values(fresh)
            await (await session.connection()).execute(change, changes)
    rotation.resealed += len(changes)
    return rows[-1]["id"] if rows else None


async def _count_outdated(database: Database, sealed: SealedColumn) -> int:
    statement = select(func.count()).select_from(sealed.table).where(*_outdated(database, sealed))
    async with database.read() as session:
        return (await session.execute(statement)).scalar_one()


def _outdated(database: Database, sealed: SealedColumn) -> list[ColumnElement[bool]]:
    return [sealed.column.is_not(None), _key_id(sealed) != database.encryption.key_ids[0]]


def _key_id(sealed: SealedColumn) -> ColumnElement[str]:
    return func.split_part(sealed.column, ":", 1)
