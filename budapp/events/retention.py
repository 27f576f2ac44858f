"""Deletes the messages that are kept for a while only."""

from datetime import timedelta

from sqlalchemy import delete

from budapp.commons.database import Database, now
from budapp.events.models import InboxMessage, OutboxMessage

KEEP_DEAD = timedelta(days=30)
KEEP_HANDLED = timedelta(days=14)


async def purge_messages(database: Database) -> None:
    """Delete messages and events that were given up, and the ids of events that were handled, once they are old."""
    async with database.write() as session:
        await session.execute(delete(OutboxMessage).where(OutboxMessage.dead_at < now() - KEEP_DEAD))
        handled = (InboxMessage.dead_at.is_(None), InboxMessage.next_attempt_at.is_(None))
        await session.execute(delete(InboxMessage).where(InboxMessage.created_at < now() - KEEP_HANDLED, *handled))
        await session.execute(delete(InboxMessage).where(InboxMessage.dead_at < now() - KEEP_DEAD))
