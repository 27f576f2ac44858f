from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

REACH = "reach"
"""The type of the entries that are for us: what somebody may read has become another."""
TICK = "tick"
"""The type of the entries that only keep the newest id of a stream young."""

MAX_FILTERS = 50

EventName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}(\.[a-z_]{1,40})?$")]


class EventQuery(BaseModel):
    """Which events are wanted.

    `type` is an event, such as `endpoint.status`, or a family of them, such as `endpoint`. `max_seconds` ends the
    stream by itself, for those who only look in.
    """

    type: Annotated[list[EventName], Field(max_length=MAX_FILTERS)] = []
    object_id: Annotated[list[UUID], Field(max_length=MAX_FILTERS)] = []
    max_seconds: int | None = Field(default=None, ge=0, le=86_400)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may read an event; what is None does not matter.

    Attributes:
        user: the person that it belongs to.
        or_scope: what others must hold in the tenant, to read what belongs to somebody.
        project: the project that must be in reach.
        scope: what must be held there, or where there is no project in the tenant.
    """

    user: UUID | None = None
    or_scope: str | None = None
    project: UUID | None = None
    scope: str | None = None

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Audience":
        """Return it from the form in which it is kept."""
        user, project = kept.get("user"), kept.get("project")
        return cls(
            user=UUID(user) if user else None,
            or_scope=kept.get("or_scope"),
            project=UUID(project) if project else None,
            scope=kept.get("scope"),
        )


@dataclass(frozen=True, order=True, slots=True)
class EntryId:
    """The id of an entry in a stream of Valkey, by which clients go on where they were."""

    milliseconds: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "EntryId | None":
        """Return the id that the text is, or None where it is none."""
        parts = text.split("-")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
            return None
        return cls(int(parts[0]), int(parts[1]))

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.number}"


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it came out of the stream; `frame` is what is sent to every client that may read it."""

    id: EntryId
    type: str
    object_id: str
    audience: Audience
    frame: bytes
