"""Notes which rows change that the gateway's tables follow from, and hands the notes on.

A version is drawn before the rows are read: whoever has the highest one has read what was committed last.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, event, inspect, select
from sqlalchemy import Sequence as DatabaseSequence
from sqlalchemy.orm import ORMExecuteState, Session
from uuid_utils.compat import uuid7

from budapp.commons.database import Base, WriteSession, among
from budapp.commons.feeding import FeedsGateway
from budapp.commons.pending import Pending
from budapp.gateway_changes.models import GatewayChange

EVERYTHING = "everything"
"""The kind of a change of nobody knows which rows."""

wakeups: set[asyncio.Event] = set()
"""Set after each commit that left notes, so that a worker in this process need not wait for its next look."""

_VERSIONS = DatabaseSequence("gateway_version", metadata=Base.metadata)


async def _wake() -> None:
    for wakeup in wakeups:
        wakeup.set()


def _each_once(items: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"id": uuid7(), "kind": kind, "item": item} for kind, item in sorted(set(items))]


_pending: Pending[tuple[str, str]] = Pending(GatewayChange, _each_once, _wake)


async def waiting(session: WriteSession, limit: int) -> Sequence[Row[Any]]:
    """Return id, kind and item of the oldest notes."""
    columns = (GatewayChange.id, GatewayChange.kind, GatewayChange.item)
    found: Sequence[Any] = (await session.execute(select(*columns).order_by(GatewayChange.position).limit(limit))).all()
    return found


async def forget(session: WriteSession, ids: Collection[UUID]) -> None:
    """Delete notes that have been seen to."""
    statement = delete(GatewayChange).where(among(GatewayChange.id, ids))
    await session.execute(statement.execution_options(synchronize_session=False))


async def next_version(session: WriteSession) -> int:
    """Return a version that is higher than all before, for what is read from now on."""
    version: int = (await session.scalars(select(_VERSIONS.next_value()))).one()
    return version


def _feeds(model: type[Any]) -> FeedsGateway | None:
    found = getattr(model, "feeds_gateway", None)
    return found if isinstance(found, FeedsGateway) else None


@event.listens_for(Session, "after_flush")
def _note_rows(session: Session, _context: object) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        feeds = _feeds(type(row))
        if feeds is not None and _matters(session, row, feeds):
            _pending.add(session, *_items(row, feeds))


def _matters(session: Session, row: Any, feeds: FeedsGateway) -> bool:
    if row in session.new or row in session.deleted:
        return True
    attributes = inspect(row).attrs
    names = feeds.when or [column.key for column in inspect(type(row)).column_attrs]
    return any(attributes[name].history.has_changes() for name in names)


def _items(row: Any, feeds: FeedsGateway) -> set[tuple[str, str]]:
    attributes = inspect(row).attrs
    found = set()
    for kind, columns in feeds.items.items():
        for column in columns:
            history = attributes[column].history
            values = (*(history.added or ()), *(history.unchanged or ()), *(history.deleted or ()))
            found |= {(kind, str(value)) for value in values if value is not None}
    return found


@event.listens_for(Session, "do_orm_execute")
def _note_bulk(state: ORMExecuteState) -> None:
    """Note a statement that changes rows past the ORM: nobody knows which."""
    changes = state.is_insert or state.is_update or state.is_delete
    if changes and state.bind_mapper is not None and _feeds(state.bind_mapper.class_) is not None:
        _pending.add(state.session, (EVERYTHING, ""))


def note(session: Session, kind: str, item: str) -> None:
    """Note that something has changed which follows from no flushed row."""
    _pending.add(session, (kind, item))
