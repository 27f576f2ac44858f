"""Messages that wait or were given up, of the outbox or the inbox, for an operator to look at, revive and discard."""

from collections.abc import Collection, Sequence
from uuid import UUID

from budapp.commons.database import ReadSession, WriteSession, now
from budapp.events import crud
from budapp.events.crud import Message


async def list_messages(session: ReadSession, kind: type[Message], *, dead: bool, limit: int) -> Sequence[Message]:
    """Return the messages that were given up, the last one first; or those that wait, the most stubborn first."""
    return await crud.messages(session, kind, dead=dead, limit=limit)


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
    found = await crud.lock_dead(session, kind, ids, name)
    for message in found:
        message.dead_at, message.attempts, message.next_attempt_at = None, 0, now()
    return len(found)


async def discard(session: WriteSession, kind: type[Message], *, ids: Collection[UUID]) -> int:
    """Delete messages that were given up; return how many."""
    found = await crud.lock_dead(session, kind, ids, None)
    for message in found:
        await session.delete(message)
    return len(found)
