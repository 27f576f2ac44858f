"""What budnotify is asked: to tell people something, and to know who they are."""

from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from budapp.integrations.dapr import Peer
from budapp.integrations.peers import PeerCall

SOURCE = "budAppMessages"

Workflow = Literal[
    "bud-notification", "bud-internal", "bud-reset-password", "bud-project-invite", "bud-notification-mail"
]
"""`bud-notification-mail` is a mail with `content.title` as its subject and `content.message` as its text."""


class Content(BaseModel):
    """What a notification says; mails carry the fields that their template names besides."""

    model_config = ConfigDict(extra="allow")

    title: str | None = None
    message: str | None = None
    icon: str | None = None
    tag: str | None = None
    status: str | None = None
    result: dict[str, Any] | None = None
    primary_action: str | None = None
    secondary_action: str | None = None


class Payload(BaseModel):
    """A notification, as the browser reads it."""

    category: Literal["inapp", "internal"]
    type: str | None = None
    event: str | None = None
    workflow_id: str | None = None
    source: str = SOURCE
    content: Content


class NotificationRequest(BaseModel):
    """The body of `POST notifications`."""

    notification_type: Literal["event"] = "event"
    name: Workflow
    subscriber_ids: str | list[str]
    payload: Payload
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    debug: bool = False


class SubscriberUpdateRequest(BaseModel):
    """The body of `PUT subscribers/{id}`; what is left out stays."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class SubscriberRequest(SubscriberUpdateRequest):
    """The body of `POST subscribers`; the id is the user's."""

    subscriber_id: str
    email: str


def send_notification(request: NotificationRequest) -> PeerCall:
    """Return the call that tells the subscribers."""
    return PeerCall(Peer.BUDNOTIFY, "POST", "notifications", _body(request))


def create_subscriber(request: SubscriberRequest) -> PeerCall:
    """Return the call that makes a user known."""
    return PeerCall(Peer.BUDNOTIFY, "POST", "subscribers", _body(request))


def update_subscriber(subscriber_id: str, request: SubscriberUpdateRequest) -> PeerCall:
    """Return the call that changes a user's address or name."""
    return PeerCall(Peer.BUDNOTIFY, "PUT", f"subscribers/{quote(subscriber_id, safe='')}", _body(request))


def delete_subscriber(subscriber_id: str) -> PeerCall:
    """Return the call that forgets a user."""
    return PeerCall(Peer.BUDNOTIFY, "DELETE", f"subscribers/{quote(subscriber_id, safe='')}")


def _body(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)
