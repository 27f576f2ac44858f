"""Messages that wait or were given up, of the outbox or the inbox, for an operator to look at, revive and discard."""

from collections.abc import Collection, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from budapp.commons.database import ReadSession, WriteSession, now
from budapp.events.models import InboxMessage, OutboxMessage

Message = TypeVar("Message", OutboxMessage, InboxMessage)

_NAMES: dict[type[Any], Any] = {OutboxMessage: OutboxMessage.target, InboxMessage: InboxMessage.type}


async def list_messages(session: ReadSession, kind: type[Message], *, dead: bool, limit: int) -> Sequence[Message]:
    """Return the messages that were given up, the last one first; or those that wait, the most stubborn first."""
    statement: Select[Any] = select(kind).limit(limit)
    if dead:
        statement = statement.where(kind.dead_at.is_not(None)).order_by(kind.dead_at.desc())
    else:
        waiting = (kind.dead_at.is_(None), kind.next_attempt_at.is_not(None))
        statement = statement.where(*waiting).order_by(kind.attempts.desc(), kind.next_attempt_at)
    return (await session.scalars(statement)).all()


async def revive(
    session: WriteSession, kind: type[Message], *, ids: Collection[UUID] | None = None, name: str | None = None
) -> int:
    """Have messages that were given up tried again, at once and as often as new ones; return how many.

    Args:
        session: the unit of work.
        kind: of the outbox, or of the inbox.
        ids: these only; all where absent.
        name: only those for this app or topic, or events of this type.
    """
    found = await _dead(session, kind, ids, name)
    for message in found:
        message.dead_at, message.attempts, message.next_attempt_at = None, 0, now()
    return len(found)


async def discard(session: WriteSession, kind: type[Message], *, ids: Collection[UUID]) -> int:
    """Delete messages that were given up; return how many."""
    found = await _dead(session, kind, ids)
    for message in found:
        await session.delete(message)
    return len(found)


async def _dead(
    session: WriteSession, kind: type[Message], ids: Collection[UUID] | None, name: str | None = None
) -> Sequence[Message]:
    conditions: list[ColumnElement[bool]] = [kind.dead_at.is_not(None)]
    if ids is not None:
        conditions.append(kind.id.in_(ids))
    if name is not None:
        conditions.append(_NAMES[kind] == name)
    statement: Select[Any] = select(kind).where(*conditions).order_by(kind.id).with_for_update()
    return (await session.scalars(statement)).all()
