"""Handles incoming events: each one once, whole or not at all.

An event whose handler fails is kept and tried again from here, with growing pauses; the sidecar is told that it has
arrived, so that it never stands in the way of others. After a few tries it is set aside, for an operator to look at.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from prometheus_client import Counter

from budapp.commons.backoff import pause_after
from budapp.commons.context import Provenance, coming_from
from budapp.commons.database import Database, now
from budapp.commons.leases import from_now, lease_of
from budapp.commons.logging import get_logger
from budapp.commons.outages import log_failure
from budapp.commons.storable import error_text
from budapp.events import crud
from budapp.events.dispatch import EventHandlers, Handler
from budapp.events.models import InboxMessage
from budapp.events.schemas import Event

logger = get_logger(__name__)

HANDLING_SECONDS = 10
LEASE = timedelta(seconds=3 * HANDLING_SECONDS)
MAX_ATTEMPTS = 6
"""About a minute."""

FAILED = Counter("budapp_inbox_failed", "Events that could not be handled and will be tried again", ["type"])
SET_ASIDE = Counter("budapp_inbox_set_aside", "Events that were set aside after several tries", ["type"])


async def handle_event(database: Database, handlers: EventHandlers, event: Event) -> str:
    """Let the domain that registered for the event handle it, and return what happened, for people.

    Raises:
        DBAPIError: the event could neither be handled nor kept; it has to come again.
    """
    handler = handlers.find(event.payload.type)
    if event.payload.category.lower() != "internal":
        return "Not for this service"
    if handler is None:
        logger.info("event_ignored", type=event.payload.type, event_name=event.payload.event)
        return "Nothing to do for this event"
    try:
        return await _handle(database, handler, event)
    except Exception as error:  # noqa: BLE001 - a boundary: whatever it was, the event is kept and tried again
        log_failure(logger, "event_failed", error, **_names(event))
        return await _keep(database, event, error)


async def retry_events(database: Database, handlers: EventHandlers) -> None:
    """Handle those of the kept events again that are due."""
    while (message := await _claim(database)) is not None:
        await _retry(database, handlers, message)


async def _handle(database: Database, handler: Handler, event: Event) -> str:
    async with _handling(event), database.write() as session:
        if not await crud.record_event(session, _identity(event)):
            return "This event was handled before"
        await handler.handle(session, event)
    return "Event handled"


async def _keep(database: Database, event: Event, error: Exception) -> str:
    kept = {"payload": event.model_dump(mode="json"), "attempts": 1, **_after_failure(1, error)}
    async with database.write() as session:
        if await crud.record_event(session, {**_identity(event), **kept}):
            FAILED.labels(event.payload.type).inc()
    return "Event kept, to be handled later"


async def _claim(database: Database) -> InboxMessage | None:
    """Return an event that is due, and whose lease this process has now."""
    async with database.write() as session:
        return await crud.claim_event(session, LEASE)


async def _retry(database: Database, handlers: EventHandlers, message: InboxMessage) -> None:
    event, lease = Event.model_validate(message.payload), lease_of(message)
    handler = handlers.find(event.payload.type)
    try:
        if message.attempts > MAX_ATTEMPTS:
            raise RuntimeError("no try of this event has come to an end")
        async with _handling(event), database.write() as session:
            if await lease.settle(session, payload=None, next_attempt_at=None) and handler is not None:
                await handler.handle(session, event)
    except Exception as error:  # noqa: BLE001 - a boundary: one event's failure is its own
        log_failure(logger, "event_failed", error, **_names(event), attempts=message.attempts)
        async with database.write() as session:
            mine = await lease.settle(session, **_after_failure(message.attempts, error))
        if mine and message.attempts >= MAX_ATTEMPTS:
            await _give_up(database, handler, event)
        elif mine:
            FAILED.labels(message.type).inc()


def _after_failure(attempts: int, error: Exception) -> dict[str, Any]:
    if attempts >= MAX_ATTEMPTS:
        return {"last_error": error_text(error), "next_attempt_at": None, "dead_at": now()}
    return {"last_error": error_text(error), "next_attempt_at": from_now(pause_after(attempts))}


async def _give_up(database: Database, handler: Handler | None, event: Event) -> None:
    SET_ASIDE.labels(event.payload.type).inc()
    logger.error("event_set_aside", **_names(event))
    if handler is None or handler.give_up is None:
        return
    try:
        async with _handling(event), database.write() as session:
            await handler.give_up(session, event)
    except Exception:  # a boundary: the event is set aside, whoever can't be told
        logger.exception("event_not_given_up", **_names(event))


@asynccontextmanager
async def _handling(event: Event) -> AsyncIterator[None]:
    with coming_from(Provenance("event", event.payload.type)):
        async with asyncio.timeout(HANDLING_SECONDS):
            yield


def _identity(event: Event) -> dict[str, Any]:
    return {"source": event.source, "message_id": event.id, "type": event.payload.type or ""}


def _names(event: Event) -> dict[str, Any]:
    return {"type": event.payload.type, "event_name": event.payload.event, "event_id": event.id}
