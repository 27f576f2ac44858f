"""Events as they come in: the flat notification that the platform's services publish, or a regular CloudEvent."""

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from budapp.commons.database import now
from budapp.commons.schemas import Answer
from budapp.commons.storable import OutsideText, clean_text, cleaned
from budapp.commons.timestamps import Timestamp

_SIDECAR_FIELDS = frozenset({"traceid", "traceparent", "tracestate", "topic", "pubsubname", "specversion"})
_LONGEST_ID = 200
_TIMESTAMP: TypeAdapter[datetime] = TypeAdapter(Timestamp)


class MalformedEvent(Exception):
    """What came in is no event; sending it again will not help."""


class Content(BaseModel):
    """What a step of a peer's work has to say.

    Attributes:
        result: what came of it, as it can be stored.
        result_error: why the result can't be stored as it came, if so.
    """

    model_config = ConfigDict(extra="allow")

    title: OutsideText = None
    message: OutsideText = None
    status: OutsideText = None
    result: Any = None
    result_error: OutsideText = None
    icon: OutsideText = None
    tag: OutsideText = None
    primary_action: OutsideText = None
    secondary_action: OutsideText = None

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return {"message": value}
        result, problem = cleaned(value.get("result"))
        rest, _ = cleaned({name: part for name, part in value.items() if name != "result"})
        return {**rest, "result": result, "result_error": problem or value.get("result_error")}


class Payload(BaseModel):
    """The part of a notification that is for us.

    Attributes:
        type: the kind of work, such as `deploy_model`; handlers are found by it.
        event: the step, or `eta`, or `results`.
        workflow_id: our workflow.
        source: the service that does the work.
    """

    category: str
    type: OutsideText = None
    event: OutsideText = None
    workflow_id: OutsideText = None
    source: OutsideText
    content: Content = Field(default_factory=Content)


class Notification(BaseModel):
    """The flat envelope; fields that are not named here are let through, as refusing them would lose the event."""

    name: str
    payload: Payload


class CloudEvent(BaseModel):
    """A regular CloudEvent with JSON data."""

    id: str
    source: str
    type: str
    data: dict[str, Any]


class Event(BaseModel):
    """An event, however it was wrapped.

    Attributes:
        id: the same whenever the same event comes in.
        source: who sent it; `id` is unique within.
        payload: what a handler reads.
        data: the data of a CloudEvent that carries no notification, else empty.
        time: when it was sent, as the sender says; when it came in where they don't, or name a time to come.
    """

    id: str
    source: str
    payload: Payload
    time: datetime = Field(default_factory=now)
    data: dict[str, Any] = Field(default_factory=dict)


class NotificationAnswer(Answer):
    """What the sidecar reads; `DROP` moves the event to the dead letter topic without trying again."""

    object: Literal["notification"] = "notification"
    status: Literal["SUCCESS", "DROP"] = "SUCCESS"


class Subscription(BaseModel):
    """A topic that the sidecar shall deliver to us, in its own words."""

    pubsubname: str
    topic: str
    route: str
    deadLetterTopic: str  # noqa: N815 - the sidecar's name


def parse_event(body: bytes) -> Event:
    """Read what the sidecar delivered.

    Raises:
        MalformedEvent: it is neither a notification nor a CloudEvent.
    """
    try:
        envelope = json.loads(body)
        if not isinstance(envelope, dict):
            raise MalformedEvent("not a JSON object")
        return _cloud_event(envelope) if isinstance(envelope.get("data"), dict) else _notification(envelope)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors(include_input=False)]
        raise MalformedEvent("; ".join(problems)) from error
    except (ValueError, RecursionError) as error:
        raise MalformedEvent("not JSON") from error


def _cloud_event(envelope: dict[str, Any]) -> Event:
    if "payload" in envelope:
        return _notification(envelope)
    if "payload" in envelope["data"]:
        return _notification(envelope["data"], envelope.get("id"), envelope.get("source"))
    event = CloudEvent.model_validate(envelope)
    payload = Payload(category="internal", type=event.type, source=event.source)
    time = _time_of(envelope.get("time"))
    data = cleaned(event.data)[0]
    return Event(id=_short(event.id), source=_short(event.source), payload=payload, data=data, time=time)


def _notification(body: dict[str, Any], id: Any = None, source: Any = None) -> Event:
    payload = Notification.model_validate(body).payload
    event_id = id or body.get("id") or _digest(body)
    sender = str(source or body.get("source") or "")
    return Event(id=_short(str(event_id)), source=_short(sender), payload=payload, time=_time_of(body.get("time")))


def _time_of(said: Any) -> datetime:
    try:
        return min(_TIMESTAMP.validate_python(said), now()) if isinstance(said, str) else now()
    except ValidationError:
        return now()


def _digest(body: dict[str, Any]) -> str:
    """Return what is the same for the same event, whatever sidecar and trace it came through."""
    own = {key: value for key, value in body.items() if key not in _SIDECAR_FIELDS}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def _short(name: str) -> str:
    """Return a name that fits into an index."""
    return clean_text(name) if len(name) <= _LONGEST_ID else hashlib.sha256(name.encode(errors="replace")).hexdigest()
