"""Notes what the tables announce, in the transaction of the change, and hands it on."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import Row, delete, event, func, inspect, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from budapp.commons.announcing import AltersReach, Announced
from budapp.commons.database import ReadSession, WriteSession, among
from budapp.commons.leases import from_now
from budapp.commons.pending import Pending
from budapp.live_ops.models import LiveEvent
from budapp.live_ops.schemas import REACH

wakeups: set[asyncio.Event] = set()
"""Set after each commit that left events, so that a publisher in this process need not wait for its next look."""


async def _wake() -> None:
    for wakeup in wakeups:
        wakeup.set()


def _last_of_each(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    last = {(each["type"], each["object_id"]): each for each in events}
    return [{"id": uuid7(), **each} for each in last.values()]


_pending: Pending[dict[str, Any]] = Pending(LiveEvent, _last_of_each, _wake)


async def waiting(session: ReadSession, limit: int, *, older_than: Any = None) -> Sequence[Row[Any]]:
    """Return the oldest events that are still to be told, where asked of those that have waited so long."""
    names = ("id", "created_at", "stream", "type", "object_type", "object_id", "audience", "data")
    statement = select(*(getattr(LiveEvent, name) for name in names)).order_by(LiveEvent.position).limit(limit)
    if older_than is not None:
        statement = statement.where(LiveEvent.created_at <= from_now(-older_than))
    found: Sequence[Any] = (await session.execute(statement)).all()
    return found


async def forget(session: WriteSession, ids: Collection[UUID]) -> set[UUID]:
    """Delete events that have been told, and return those of them that nobody else has deleted."""
    statement = delete(LiveEvent).where(among(LiveEvent.id, ids)).returning(LiveEvent.id)
    return set(await session.scalars(statement.execution_options(synchronize_session=False)))


async def count_waiting(session: ReadSession) -> int:
    """Return how many events are still to be told."""
    return await session.scalar(select(func.count()).select_from(LiveEvent)) or 0


@event.listens_for(Session, "after_flush")
def _note_rows(session: Session, _context: object) -> None:
    _pending.add(session, *_announced(session), *_altered(session))


def _announced(session: Session) -> Iterator[dict[str, Any]]:
    for row in session.new:
        says = getattr(type(row), "announced", None)
        if isinstance(says, Announced):
            yield _event(row, says, says.made)
    for row in session.dirty:
        says = getattr(type(row), "announced", None)
        if isinstance(says, Announced):
            attributes = inspect(row).attrs
            for type_, names in says.changed.items():
                if any(attributes[name].history.has_changes() for name in names):
                    yield _event(row, says, type_)


def _altered(session: Session) -> Iterator[dict[str, Any]]:
    for row in (*session.new, *session.dirty, *session.deleted):
        says = getattr(type(row), "alters_reach", None)
        if isinstance(says, AltersReach):
            user_id = getattr(row, says.user)
            fields = {"type": REACH, "object_type": "user", "object_id": user_id, "stream": row.tenant_id}
            yield {**fields, "audience": {"user": str(user_id)}, "data": {}}


def _event(row: Any, says: Announced, type: str) -> dict[str, Any]:
    scope = getattr(row, says.scope_column) if says.scope_column else says.scope
    audience = {
        "user": getattr(row, says.owner) if says.owner else None,
        "or_scope": says.or_scope,
        "project": getattr(row, says.project) if says.project else None,
        "scope": scope,
    }
    return {
        "stream": row.tenant_id,
        "type": type,
        "object_type": says.object_type,
        "object_id": row.id,
        "audience": {name: str(value) for name, value in audience.items() if value is not None},
        "data": to_jsonable_python(says.shows(row)),
    }
