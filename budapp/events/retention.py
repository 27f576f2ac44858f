"""Deletes the messages that are kept for a while only."""

from datetime import timedelta

from budapp.commons.database import Database, now
from budapp.events import crud

KEEP_DEAD = timedelta(days=30)
KEEP_HANDLED = timedelta(days=14)


async def purge_messages(database: Database) -> None:
    """Delete messages and events that were given up, and the ids of events that were handled, once they are old."""
    async with database.write() as session:
        await crud.delete_old(session, dead_before=now() - KEEP_DEAD, handled_before=now() - KEEP_HANDLED)
