"""Messages that wait or were given up, for an operator to look at, revive and discard."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select

from budapp.commons.database import ReadSession, WriteSession, now
from budapp.events.models import OutboxMessage


async def list_messages(session: ReadSession, *, dead: bool, limit: int) -> Sequence[Row[Any]]:
    """Return the messages that were given up, the last one first; or those that wait, the most stubborn first."""
    message = OutboxMessage
    names = ("id", "aggregate", "kind", "target", "path", "attempts", "next_attempt_at", "dead_at", "last_error")
    statement: Select[Any] = select(*(getattr(message, name) for name in names))
    if dead:
        statement = statement.where(message.dead_at.is_not(None)).order_by(message.dead_at.desc())
    else:
        statement = statement.where(message.dead_at.is_(None)).order_by(message.attempts.desc(), message.position)
    rows: Sequence[Row[Any]] = (await session.execute(statement.limit(limit))).all()
    return rows


async def revive(session: WriteSession, *, ids: Collection[UUID] | None = None, target: str | None = None) -> int:
    """Have messages that were given up tried again, at once and as often as new ones; return how many.

    Args:
        session: the unit of work.
        ids: these only; all where absent.
        target: only those for this app or topic.
    """
    found = await _dead(session, ids, target)
    for message in found:
        message.dead_at, message.attempts, message.next_attempt_at = None, 0, now()
    return len(found)


async def discard(session: WriteSession, *, ids: Collection[UUID]) -> int:
    """Delete messages that were given up; return how many."""
    found = await _dead(session, ids)
    for message in found:
        await session.delete(message)
    return len(found)


async def _dead(
    session: WriteSession, ids: Collection[UUID] | None, target: str | None = None
) -> Sequence[OutboxMessage]:
    conditions: list[ColumnElement[bool]] = [OutboxMessage.dead_at.is_not(None)]
    if ids is not None:
        conditions.append(OutboxMessage.id.in_(ids))
    if target is not None:
        conditions.append(OutboxMessage.target == target)
    statement = select(OutboxMessage).where(*conditions).order_by(OutboxMessage.position).with_for_update()
    return (await session.scalars(statement)).all()
