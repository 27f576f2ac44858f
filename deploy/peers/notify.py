"""The stand-in for budnotify, and for the Novu behind it.

It takes notifications and subscribers, hands messages to the browser, and shows them all, mails too, on a page.
"""

import json
import re
from html import escape
from itertools import islice
from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, status
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, model_validator

from peers import novu, page
from peers.control import Control, Request
from peers.envelope import CloudEvent
from peers.inbox import Inbox
from peers.work import NOTIFICATION_TOPIC

_LINK = re.compile(r"https?://(?:(?!&quot;|\\)\S)+")


class NotificationContent(BaseModel):
    """What a message says; templates may read further fields."""

    model_config = ConfigDict(extra="allow")

    title: str | None = None
    message: str | None = None
    status: str | None = None
    result: dict[str, Any] | None = None
    primary_action: str | None = None
    secondary_action: str | None = None
    icon: str | None = None
    tag: str | None = None


class NotificationPayload(BaseModel):
    """A message and where it belongs."""

    category: Literal["inapp", "internal"]
    type: str | None = None
    event: str | None = None
    workflow_id: str | None = None
    source: str
    content: NotificationContent


class NotificationRequest(CloudEvent):
    """The body of `POST /notifications`: a CloudEvent, in which unknown fields are refused."""

    notification_type: Literal["event", "topic", "broadcast"] = "event"
    name: str
    subscriber_ids: str | list[str] | None = None
    actor: str | None = None
    topic_keys: str | list[str] | None = None
    payload: NotificationPayload

    @model_validator(mode="after")
    def _fits_its_type(self) -> "NotificationRequest":
        if self.notification_type == "event" and not self.subscriber_ids:
            raise ValueError("subscriber_ids is required for an event notification")
        if self.notification_type == "topic" and not self.topic_keys:
            raise ValueError("topic_keys is required for a topic notification")
        if self.notification_type == "broadcast" and (self.subscriber_ids or self.topic_keys):
            raise ValueError("subscriber_ids and topic_keys must be absent in a broadcast notification")
        return self


class SubscriberUpdate(BaseModel):
    """The body of `PUT /subscribers/{id}`."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    avatar: str | None = None
    channels: list[Any] | None = None
    data: dict[str, Any] | None = None


class Subscriber(SubscriberUpdate):
    """The body of `POST /subscribers`."""

    subscriber_id: str
    email: str


class Notify:
    """What the stand-in knows, in memory."""

    def __init__(self, control: Control, inbox: Inbox, socket: novu.Socket) -> None:
        self._control, self._inbox, self._socket = control, inbox, socket
        self._subscribers: dict[str, dict[str, Any]] = {}

    async def subscribe(self) -> list[dict[str, Any]]:
        """Tell the sidecar which topics to deliver: on this one, services tell how their work goes."""
        route = {"topic": NOTIFICATION_TOPIC, "routes": {"default": "/notifications"}}
        return [{"pubsubname": self._control.settings.pubsub_name, "deadLetterTopic": "poisonMessages", **route}]

    async def notify(self, request: NotificationRequest) -> dict[str, Any]:
        """Take a message, from a caller or from the sidecar, and show it to its users."""
        content = request.payload.model_dump(mode="json", exclude_none=True)
        for user in self._receivers(request):
            item = self._inbox.deliver(user, request.name, content)
            if item:
                await self._socket.received(item)
        return {
            "object": "notification",
            "message": "Notification triggered successfully",
            "acknowledged": True,
            # The sidecar knows this word only, and sends again what is answered with another one.
            "status": "SUCCESS" if request.pubsubname else "processed",
            "transaction_id": uuid4().hex,
        }

    async def create(self, subscriber: Subscriber) -> dict[str, Any]:
        """Learn of a user; one that is known already is replaced."""
        self._subscribers[subscriber.subscriber_id] = subscriber.model_dump()
        return self._answer(subscriber.subscriber_id)

    async def update(self, subscriber_id: str, change: SubscriberUpdate) -> dict[str, Any]:
        """Change a user; one that a restart has forgotten is made again."""
        known = self._subscribers.setdefault(subscriber_id, {"subscriber_id": subscriber_id})
        known |= change.model_dump(exclude_unset=True)
        return self._answer(subscriber_id)

    async def delete(self, subscriber_id: str) -> dict[str, Any]:
        """Forget a user."""
        self._subscribers.pop(subscriber_id, None)
        return {"object": "info", "message": "Subscriber deleted successfully"}

    async def page(self) -> HTMLResponse:
        """Show the messages, the newest first: what people are to read, then how work goes."""
        messages, progress = self._newest(), self._newest(of_work=True)
        parts = ["<p>What this stand-in was asked: <a href='/control'>requests</a></p>", *map(self._shown, messages)]
        parts += ["<h1>Progress of work</h1>", *map(self._shown, progress)] if progress else []
        anything = parts if messages or progress else ["<p>No messages yet.</p>"]
        return HTMLResponse(page.frame("Messages", "\n".join(anything)))

    async def credentials(self) -> dict[str, Any]:
        """Tell what the browser calls this application; any name is taken."""
        return {"object": "info", "message": "Credentials fetched successfully", "prod_app_id": "bud"}

    def _receivers(self, request: NotificationRequest) -> list[str]:
        if request.notification_type == "broadcast":
            return sorted({*self._subscribers, *self._inbox.users()})
        receivers = request.subscriber_ids or []
        return receivers if isinstance(receivers, list) else [receivers]

    def _answer(self, subscriber_id: str) -> dict[str, Any]:
        return {"object": "subscriber", "message": "Subscriber saved", **self._subscribers[subscriber_id]}

    def _newest(self, *, of_work: bool = False) -> list[Request]:
        """Return the newest messages to people, or of how work goes, as many as the page shows."""
        found = (request for request in reversed(self._control.requests) if request.path == "/notifications")
        return list(islice((one for one in found if (self._name(one) == "bud-internal") == of_work), page.SHOWN))

    @staticmethod
    def _name(message: Request) -> str:
        return str(message.body.get("name")) if isinstance(message.body, dict) else "not understood"

    def _shown(self, message: Request) -> str:
        body = message.body if isinstance(message.body, dict) else {}
        receivers = body.get("subscriber_ids") or []
        addresses = [self._address(one) for one in (receivers if isinstance(receivers, list) else [receivers])]
        content = json.dumps(body.get("payload", message.body), indent=2, ensure_ascii=False)
        heading = f"{self._name(message)} to {', '.join(addresses) or 'all'}"
        text = _LINK.sub(r'<a href="\g<0>">\g<0></a>', escape(content))
        return f"<h3>{escape(heading)}</h3><p>{message.received_at:%Y-%m-%d %H:%M:%S} UTC</p><pre>{text}</pre>"

    def _address(self, subscriber_id: object) -> str:
        known = self._subscribers.get(str(subscriber_id))
        return f"{known['email']} ({subscriber_id})" if known and known.get("email") else str(subscriber_id)


def router(control: Control) -> APIRouter:
    """Return the routes of the contract, the page, and what the browser calls."""
    tokens, inbox = novu.Tokens(control.settings), Inbox()
    socket = novu.Socket(tokens, inbox)
    notify = Notify(control, inbox, socket)
    routes = APIRouter()
    routes.add_api_route("/", notify.page, include_in_schema=False)
    routes.add_api_route("/dapr/subscribe", notify.subscribe, methods=["GET"])
    routes.add_api_route("/notifications", notify.notify, methods=["POST"])
    routes.add_api_route("/settings/credentials", notify.credentials, methods=["GET"])
    routes.add_api_route("/subscribers", notify.create, methods=["POST"], status_code=status.HTTP_201_CREATED)
    routes.add_api_route("/subscribers/{subscriber_id}", notify.update, methods=["PUT"])
    routes.add_api_route("/subscribers/{subscriber_id}", notify.delete, methods=["DELETE"])
    routes.include_router(novu.router(tokens, inbox, socket))
    return routes
