"""Messages to other services, and events from them."""

from datetime import timedelta
from functools import partial

from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.jobs import Job
from budapp.events import models
from budapp.events.commands import app as commands
from budapp.events.dispatch import EventHandlers
from budapp.events.inbox import retry_events
from budapp.events.inbox_commands import app as inbox_commands
from budapp.events.relay import Relay
from budapp.events.retention import purge_messages
from budapp.events.routes import router
from budapp.integrations.dapr import DaprClient


def _event_handlers(c: Components) -> EventHandlers:
    handlers = EventHandlers()
    for domain in c.domains:
        for type, handler in domain.event_handlers(c).items():
            handlers.add(type, handler)
    return handlers


domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(EventHandlers, _event_handlers),
        Component(Relay, lambda c: Relay(c[Database], c[DaprClient]), start=Relay.start, stop=Relay.stop),
    ),
    jobs=lambda c: (
        Job("retry_events", timedelta(seconds=2), partial(retry_events, c[Database], c[EventHandlers])),
        Job("purge_messages", timedelta(hours=1), partial(purge_messages, c[Database])),
    ),
    commands={"inbox": inbox_commands, "outbox": commands},
)
