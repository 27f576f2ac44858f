"""The statements about our tables: what has come already, and what comes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, insert, select, text, tuple_, update
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from budapp.commons import advisory_locks
from budapp.commons.database import WriteSession, now
from budapp.commons.errors import Conflict
from budapp.commons.integrity import refuses, sqlstate_of
from budapp.legacy_ops.columns import for_insert, reason_of
from budapp.legacy_ops.models import LegacyRow
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import User, UserStatus

Rows = Sequence[Mapping[str, Any]]

_NOT_AVAILABLE = "55P03"
_LOCK = "budapp:upgrade_from_legacy"


async def lock(session: WriteSession) -> None:
    """Let one upgrade at a time write, until the end of the unit of work.

    Raises:
        Conflict: another one does, and goes on doing so.
    """
    try:
        await advisory_locks.lock(session, _LOCK)
    except DBAPIError as error:
        if sqlstate_of(error) != _NOT_AVAILABLE:
            raise
        raise Conflict("Another upgrade-from-legacy is at work; run this again when it has ended") from None


async def be_patient(session: WriteSession) -> None:
    """Let the unit of work wait as long as it takes for the former service's database to sort a table."""
    await session.execute(text("set local idle_in_transaction_session_timeout = 0"))


async def come(session: WriteSession, source: str, ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return those of the old rows that have come, with what they are here."""
    found = select(LegacyRow.source_id, LegacyRow.target_id).where(
        LegacyRow.source == source, LegacyRow.source_id.in_(ids)
    )
    return {row.source_id: row.target_id for row in await session.execute(found)}


async def taken(session: WriteSession, source: str, target_ids: Collection[UUID]) -> set[UUID]:
    """Return those of our rows that rows of the old table have become."""
    found = select(LegacyRow.target_id).where(LegacyRow.source == source, LegacyRow.target_id.in_(target_ids))
    return set(await session.scalars(found))


async def referred(
    session: WriteSession, source: str, table: Table, ids: Collection[UUID], takes: Sequence[str]
) -> dict[UUID, Mapping[str, Any]]:
    """Return our rows, as far as needed, that the old rows of the table have become, by the ids of those."""
    names = ["id", *(["tenant_id"] if "tenant_id" in table.c else []), *takes]
    columns = [table.c[name] for name in dict.fromkeys(names)]
    found = (
        select(LegacyRow.source_id.label("old_id"), *columns)
        .join(table, table.c.id == LegacyRow.target_id)
        .where(LegacyRow.source == source, LegacyRow.source_id.in_(ids))
    )
    return {row["old_id"]: dict(row) for row in (await session.execute(found)).mappings()}


async def alike(
    session: WriteSession, table: Table, names: Sequence[str], values: Collection[tuple[Any, ...]]
) -> dict[tuple[Any, ...], UUID]:
    """Return our rows with these values in these columns."""
    columns = [table.c[name] for name in names]
    found = select(table.c.id, *columns).where(tuple_(*columns).in_(values))
    return {tuple(row[1:]): row[0] for row in await session.execute(found)}


async def present(session: WriteSession, table: Table, ids: Collection[UUID]) -> set[UUID]:
    """Return which of the ids are in the table."""
    return set(await session.scalars(select(table.c.id).where(table.c.id.in_(ids))))


async def put_in(session: WriteSession, table: Table, groups: Sequence[Rows]) -> dict[int, str]:
    """Insert groups of rows, each whole or not at all; return the reasons of those that are refused, by their place.

    Where something is refused, the groups are halved until it is alone.
    """
    rows = [for_insert(table, row) for group in groups for row in group]
    if not rows:
        return {}
    try:
        async with session.begin_nested():
            await session.execute(insert(table), rows)
    except DBAPIError as error:
        if not refuses(error):
            raise
        if len(groups) == 1:
            return {0: _reason(table, error)}
    else:
        return {}
    middle = len(groups) // 2
    refused = await put_in(session, table, groups[:middle])
    rest = await put_in(session, table, groups[middle:])
    return refused | {middle + place: reason for place, reason in rest.items()}


def _reason(table: Table, error: DBAPIError) -> str:
    driver_error = error.orig.__cause__ if error.orig else None
    constraint = getattr(driver_error, "constraint_name", None)
    return reason_of(table, constraint, str(driver_error).partition("\n")[0][:200])


async def note(session: WriteSession, source: str, pairs: Mapping[UUID, UUID]) -> None:
    """Note which old rows have come, and what they are here."""
    at = now()
    rows = [
        {"id": uuid7(), "source": source, "source_id": old, "target_id": new, "created_at": at, "modified_at": at}
        for old, new in pairs.items()
    ]
    if rows:
        await session.execute(insert(LegacyRow.__table__), rows)  # type: ignore[arg-type]


async def set_later(
    session: WriteSession, table: Table, name: str, referred_to: Table, pairs: Mapping[UUID, UUID]
) -> None:
    """Set the column of our rows, by their ids, where it is null still and what it refers to is there."""
    column = table.c[name]
    unset = set(await session.scalars(select(table.c.id).where(table.c.id.in_(pairs), column.is_(None))))
    there = await present(session, referred_to, set(pairs.values()))
    for row_id in sorted(unset):
        if pairs[row_id] in there:
            await session.execute(update(table).where(table.c.id == row_id).values({name: pairs[row_id]}))


async def people(session: WriteSession) -> Sequence[Row[Any]]:
    """Return auth_id, email and realm of those who have come and may sign in."""
    columns = (User.auth_id, User.email, Tenant.realm_name)
    came = select(LegacyRow.target_id).where(LegacyRow.source == "user")
    found = (
        select(*columns)
        .join(Tenant, Tenant.id == User.tenant_id)
        .where(User.id.in_(came), User.status != UserStatus.DELETED)
        .order_by(User.email)
    )
    rows: Sequence[Any] = (await session.execute(found)).all()
    return rows
