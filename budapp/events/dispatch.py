"""Which domain hears which event."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from budapp.commons.database import WriteSession
from budapp.events.schemas import Event

Handle = Callable[[WriteSession, Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handler:
    """What a domain does with the events of a type.

    Attributes:
        handle: works in the unit of work that also records the event: what it raises undoes all, and the event is
            handled again a little later.
        give_up: is called once the event has been set aside, so that whoever waits for it hears why not.
    """

    handle: Handle
    give_up: Handle | None = None

    async def __call__(self, session: WriteSession, event: Event) -> None:
        """Handle the event."""
        await self.handle(session, event)


class EventHandlers:
    """The types of events, and what handles them."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, type: str, handler: Handle) -> None:
        """Let the handler, a `Handler` or a plain function, have events of the type.

        Raises:
            ValueError: the type has a handler already.
        """
        if type in self._handlers:
            raise ValueError(f"Events of type {type} have a handler already")
        self._handlers[type] = handler if isinstance(handler, Handler) else Handler(handler)

    def find(self, type: str | None) -> Handler | None:
        """Return what handles events of the type."""
        return self._handlers.get(type) if type else None
