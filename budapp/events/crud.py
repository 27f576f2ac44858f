"""The statements about the outbox and the inbox."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.leases import take
from budapp.events.models import InboxMessage, OutboxMessage

Message = TypeVar("Message", OutboxMessage, InboxMessage)

_NAMES: dict[type[Any], Any] = {OutboxMessage: OutboxMessage.target, InboxMessage: InboxMessage.type}
_RECORD = insert(InboxMessage).on_conflict_do_nothing().returning(InboxMessage.id)


async def messages(session: ReadSession, kind: type[Message], *, dead: bool, limit: int) -> Sequence[Message]:
    """Return the messages that were given up, the last one first; or those that wait, the most stubborn first."""
    statement: Select[Any] = select(kind).limit(limit)
    if dead:
        statement = statement.where(kind.dead_at.is_not(None)).order_by(kind.dead_at.desc())
    else:
        waiting = (kind.dead_at.is_(None), kind.next_attempt_at.is_not(None))
        statement = statement.where(*waiting).order_by(kind.attempts.desc(), kind.next_attempt_at)
    return (await session.scalars(statement)).all()


async def lock_dead(
    session: WriteSession, kind: type[Message], ids: Collection[UUID] | None, name: str | None
) -> Sequence[Message]:
    """Return the messages that were given up, locked: these only, for this app or topic, or of this type only."""
    conditions: list[ColumnElement[bool]] = [kind.dead_at.is_not(None)]
    if ids is not None:
        conditions.append(kind.id.in_(ids))
    if name is not None:
        conditions.append(_NAMES[kind] == name)
    statement: Select[Any] = select(kind).where(*conditions).order_by(kind.id).with_for_update()
    return (await session.scalars(statement)).all()


async def record_event(session: WriteSession, values: Mapping[str, Any]) -> bool:
    """Put an event into the inbox; False where it is there already.

    While another unit of work puts it there, this waits for the outcome.
    """
    return await session.scalar(_RECORD.values(**values)) is not None


async def claim_event(session: WriteSession, lease: timedelta) -> InboxMessage | None:
    """Take the event that is due first for as long as the lease."""
    due = select(InboxMessage.id).where(InboxMessage.next_attempt_at <= func.now())
    oldest = due.order_by(InboxMessage.next_attempt_at).limit(1)
    return next(iter(await take(session, InboxMessage, oldest, lease, attempts=InboxMessage.attempts + 1)), None)


async def claim_heads(session: WriteSession, limit: int, lease: timedelta) -> Sequence[OutboxMessage]:
    """Take the oldest due message of up to `limit` aggregates for as long as the lease, in their order."""
    rows = await take(session, OutboxMessage, _heads(limit), lease, attempts=OutboxMessage.attempts + 1)
    return sorted(rows, key=lambda row: row.position)


@cache  # to build it takes longer than to ask for it, once a second
def _heads(limit: int) -> Select[UUID]:
    earlier = aliased(OutboxMessage)
    blocked = select(earlier.id).where(
        earlier.aggregate == OutboxMessage.aggregate,
        earlier.position < OutboxMessage.position,
        earlier.dead_at.is_(None),
    )
    due = (OutboxMessage.dead_at.is_(None), OutboxMessage.next_attempt_at <= func.now(), ~blocked.exists())
    return select(OutboxMessage.id).where(*due).order_by(OutboxMessage.position).limit(limit)


async def waiting_messages(session: ReadSession) -> Row[int, datetime | None]:
    """Return how many messages of the outbox wait, and since when the oldest one does."""
    waiting = OutboxMessage.dead_at.is_(None)
    return (await session.execute(select(func.count(), func.min(OutboxMessage.created_at)).where(waiting))).one()


async def delete_old(session: WriteSession, *, dead_before: datetime, handled_before: datetime) -> None:
    """Delete messages and events that were given up before, and the ids of events that were handled before."""
    handled = (InboxMessage.dead_at.is_(None), InboxMessage.next_attempt_at.is_(None))
    await session.execute(delete(OutboxMessage).where(OutboxMessage.dead_at < dead_before))
    await session.execute(delete(InboxMessage).where(InboxMessage.created_at < handled_before, *handled))
    await session.execute(delete(InboxMessage).where(InboxMessage.dead_at < dead_before))
