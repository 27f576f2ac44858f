"""Which domain hears which event."""

from collections.abc import Awaitable, Callable

from budapp.commons.database import WriteSession
from budapp.events.schemas import Event

Handler = Callable[[WriteSession, Event], Awaitable[None]]


class EventHandlers:
    """The types of events, and what handles them.

    A handler works in the unit of work that also records the event: what it raises undoes all, and the event comes
    again.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, type: str, handler: Handler) -> None:
        """Let the handler have events of the type.

        Raises:
            ValueError: the type has a handler already.
        """
        if type in self._handlers:
            raise ValueError(f"Events of type {type} have a handler already")
        self._handlers[type] = handler

    def find(self, type: str | None) -> Handler | None:
        """Return what handles events of the type."""
        return self._handlers.get(type) if type else None
