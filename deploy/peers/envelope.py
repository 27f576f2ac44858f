"""The requests, answers and events that all of the platform's services share."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Status(StrEnum):
    """How work, or a step of it, is going."""

    STARTED = "STARTED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"


def _now() -> str:
    return datetime.now(UTC).isoformat()


class NotificationMetadata(BaseModel):
    """Whom to tell about work, and under which workflow of the caller."""

    notification_type: str = "event"
    name: str
    workflow_id: str
    subscriber_ids: str | list[str] | None = None
    actor: str | None = None
    topic_keys: str | list[str] | None = None
    category: str = "internal"


class CloudEvent(BaseModel):
    """What the body of every request may carry; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")

    specversion: str | None = None
    topic: str | None = None
    pubsubname: str | None = None
    source: str | None = None
    source_topic: str | list[str] | None = None
    data: dict[str, Any] | None = None
    traceid: str | None = None
    tracestate: str | None = None
    traceparent: str | None = None
    type: str | None = None
    time: str = Field(default_factory=_now)
    debug: bool = False
    notification_metadata: NotificationMetadata | None = None


class WorkRequest(CloudEvent):
    """A request for work that goes on after the answer."""

    def topics(self) -> list[str]:
        """Return where the caller wants the events."""
        topics = self.source_topic or []
        return [topics] if isinstance(topics, str) else topics


class StepAnswer(BaseModel):
    """A step that work is going to have."""

    id: str
    title: str
    description: str


class WorkAnswer(BaseModel):
    """The answer to a request for work, which goes on after it."""

    object: str = "workflow_metadata"
    workflow_id: UUID
    workflow_name: str
    steps: list[StepAnswer]
    status: Status
    eta: int | None = None


class Info(BaseModel):
    """The answer to a request that has nothing to tell."""

    object: str = "info"
    message: str
    param: dict[str, Any] | None = None


def error(message: str, kind: str = "InternalServerError") -> dict[str, Any]:
    """Return the body of an error; the services leave the status out of it."""
    return {"object": "error", "message": message, "type": kind, "param": None}
