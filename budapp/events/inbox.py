"""Handles incoming events: each one once, whole or not at all."""

from sqlalchemy.dialects.postgresql import insert

from budapp.commons.context import Provenance, coming_from
from budapp.commons.database import Database, WriteSession
from budapp.commons.logging import get_logger
from budapp.events.dispatch import EventHandlers
from budapp.events.models import InboxMessage
from budapp.events.schemas import Event

logger = get_logger(__name__)

_RECORD = insert(InboxMessage).on_conflict_do_nothing().returning(InboxMessage.id)


async def record(session: WriteSession, event: Event) -> bool:
    """Note in this unit of work that the event is handled; False where it has been before.

    While another unit of work handles the same event, this waits for its outcome.
    """
    values = {"source": event.source, "message_id": event.id, "type": event.payload.type or ""}
    return await session.scalar(_RECORD, values) is not None


async def handle_event(database: Database, handlers: EventHandlers, event: Event) -> str:
    """Let the domain that registered for the event handle it, and return what happened, for people.

    What the handler raises undoes everything, the record of the event included.
    """
    handler = handlers.find(event.payload.type)
    if event.payload.category.lower() != "internal":
        return "Not for this service"
    if handler is None:
        logger.info("event_ignored", type=event.payload.type, event_name=event.payload.event)
        return "Nothing to do for this event"
    with coming_from(Provenance("event", event.payload.type)):
        async with database.write() as session:
            if not await record(session, event):
                return "This event was handled before"
            await handler(session, event)
    return "Event handled"
