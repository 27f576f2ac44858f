"""What the browser's notification centre speaks: Novu's REST for widgets, and its socket.

A session is opened with nothing but a user id, as with Novu where no HMAC is set. Its token is asked for by all other
routes and by the socket.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import jwt
import socketio
from fastapi import APIRouter, Depends, HTTPException, Query, Request, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from socketio.exceptions import ConnectionRefusedError as SocketRefusedError

from peers.inbox import Inbox, Item
from peers.settings import PeerSettings

_ALGORITHM, _AUDIENCE, _ISSUER = "HS256", "widget_user", "novu_api"
_LIFETIME = timedelta(days=15)
_MOST_COUNTED = 100
_KINDS = ("bud-notification", "bud-internal")

_Token = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]

Data = dict[str, Any]


class Session(BaseModel):
    """The body of `POST /widgets/session/initialize`."""

    applicationIdentifier: str = Field(min_length=1)  # noqa: N815 - Novu's name
    subscriberId: str = Field(min_length=1)  # noqa: N815
    hmacHash: str | None = None  # noqa: N815


class Mark(BaseModel):
    """How to mark messages."""

    seen: bool | None = None
    read: bool | None = None


class MarkAs(BaseModel):
    """The body of `POST /widgets/messages/markAs`, and of its younger sister `mark-as`."""

    messageId: str | list[str]  # noqa: N815
    mark: Mark | None = None
    markAs: Literal["read", "seen", "unread", "unseen"] | None = None  # noqa: N815

    def ids(self) -> set[str]:
        """Return the messages."""
        return {self.messageId} if isinstance(self.messageId, str) else set(self.messageId)

    def wanted(self) -> Mark:
        """Return the marks to set."""
        words = {"read": Mark(read=True), "seen": Mark(seen=True)}
        words |= {"unread": Mark(read=False), "unseen": Mark(seen=False, read=False)}
        return self.mark or words[self.markAs or "seen"]


class Feed(BaseModel):
    """The body of `POST /widgets/messages/read` and `seen`: all feeds, or some."""

    feedId: str | list[str] | None = None  # noqa: N815

    def has(self, item: Item) -> bool:
        """Tell whether a message is in one of the feeds."""
        return not self.feedId or item.feed in ([self.feedId] if isinstance(self.feedId, str) else self.feedId)


class Removed(BaseModel):
    """The body of `POST /widgets/messages/bulk/delete`."""

    messageIds: list[str]  # noqa: N815


class Tokens:
    """Session tokens; they outlive a restart, as the browser keeps them."""

    def __init__(self, settings: PeerSettings) -> None:
        secret = settings.dapr_api_token.get_secret_value()
        self._key = hashlib.sha256(f"novu {secret}".encode()).hexdigest()

    def issue(self, subscriber_id: str) -> str:
        """Return a token for a user."""
        now = datetime.now(UTC)
        claims = {"_id": subscriber_id, "subscriberId": subscriber_id, "aud": _AUDIENCE, "iss": _ISSUER}
        return jwt.encode({**claims, "iat": now, "exp": now + _LIFETIME}, self._key, _ALGORITHM)

    def user(self, token: object) -> str | None:
        """Return whose token it is, or None."""
        try:
            claims = jwt.decode(str(token), self._key, [_ALGORITHM], audience=_AUDIENCE, issuer=_ISSUER)
        except jwt.InvalidTokenError:
            return None
        return str(claims["subscriberId"])


class Socket:
    """The socket, with a room for each user."""

    def __init__(self, tokens: Tokens, inbox: Inbox) -> None:
        self._tokens, self._inbox = tokens, inbox
        self._server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
        self._server.on("connect", self._connect)
        self.app = socketio.ASGIApp(self._server)

    async def _connect(self, sid: str, _environ: Mapping[str, Any], auth: Mapping[str, Any] | None = None) -> None:
        user = self._tokens.user((auth or {}).get("token"))
        if user is None:
            raise SocketRefusedError("Unauthorized")
        await self._server.enter_room(sid, user)

    async def received(self, item: Item) -> None:
        """Show a new message to its user, in every window."""
        await self._server.emit("notification_received", {"message": item.shown()}, room=item.subscriber_id)
        await self.counts_changed(item.subscriber_id)

    async def counts_changed(self, user: str) -> None:
        """Tell a user how many messages are new."""
        unseen, unread = self._inbox.unseen(user), self._inbox.unread(user)
        counts = {"unseenCount": min(unseen, _MOST_COUNTED), "hasMore": unseen > _MOST_COUNTED}
        await self._server.emit("unseen_count_changed", counts, room=user)
        counts = {"unreadCount": min(unread, _MOST_COUNTED), "hasMore": unread > _MOST_COUNTED}
        await self._server.emit("unread_count_changed", counts, room=user)


class Widgets:
    """The REST for widgets."""

    def __init__(self, tokens: Tokens, inbox: Inbox, socket: Socket) -> None:
        self._tokens, self._inbox, self._socket = tokens, inbox, socket
        self._preferences: dict[tuple[str, str], Data] = {}

    async def user(self, request: Request, token: _Token) -> None:
        """Find out who calls, for the routes.

        Raises:
            HTTPException: 401, the token does not say.
        """
        user = self._tokens.user(token.credentials) if token else None
        if user is None:
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Unauthorized")
        request.state.user = user

    async def initialize(self, session: Session) -> Data:
        """Open a session."""
        profile = {"_id": session.subscriberId, "subscriberId": session.subscriberId}
        return {"data": {"token": self._tokens.issue(session.subscriberId), "profile": profile}}

    async def organization(self) -> Data:
        """Return whose notification centre it is."""
        return {"data": {"_id": "bud", "name": "bud", "branding": {"direction": "ltr", "color": "#965CDE"}}}

    async def unseen(self, request: Request, limit: int = _MOST_COUNTED) -> Data:
        """Count what was not seen."""
        return {"data": {"count": min(self._inbox.unseen(request.state.user), limit)}}

    async def unread(self, request: Request, limit: int = _MOST_COUNTED) -> Data:
        """Count what was not read."""
        return {"data": {"count": min(self._inbox.unread(request.state.user), limit)}}

    async def count(self, request: Request, seen: bool | None = None, read: bool | None = None) -> Data:
        """Count messages."""
        return {"data": {"count": len(self._found(request.state.user, {}, seen, read))}}

    async def feed(
        self,
        request: Request,
        page: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
        payload: str | None = None,
        seen: bool | None = None,
        read: bool | None = None,
    ) -> Data:
        """List messages; `payload` is base64 of the JSON that a message's payload has to contain."""
        found = self._found(request.state.user, _decoded(payload), seen, read)
        shown = [item.shown() for item in found[page * limit : (page + 1) * limit]]
        more = len(found) > (page + 1) * limit
        return {"data": shown, "totalCount": len(found), "hasMore": more, "pageSize": limit, "page": page}

    async def mark(self, request: Request, body: MarkAs) -> Data:
        """Mark messages."""
        user, ids, marks = request.state.user, body.ids(), body.wanted()
        self._inbox.mark(user, lambda item: item.id in ids, marks.seen, marks.read)
        await self._socket.counts_changed(user)
        return {"data": [item.shown() for item in self._inbox.find(user, lambda item: item.id in ids)]}

    async def read_all(self, request: Request, body: Feed) -> Data:
        """Mark all messages as read."""
        return await self._mark_all(request, body, Mark(read=True))

    async def see_all(self, request: Request, body: Feed) -> Data:
        """Mark all messages as seen."""
        return await self._mark_all(request, body, Mark(seen=True))

    async def act(self, request: Request, message_id: str) -> Data:
        """Take note of a button that was pressed on a message."""
        return await self.mark(request, MarkAs(messageId=message_id, markAs="read"))

    async def remove(self, request: Request, message_id: str) -> Data:
        """Remove a message."""
        return await self.remove_some(request, Removed(messageIds=[message_id]))

    async def remove_some(self, request: Request, body: Removed) -> Data:
        """Remove messages."""
        self._inbox.remove(request.state.user, lambda item: item.id in body.messageIds)
        await self._socket.counts_changed(request.state.user)
        return {"data": {"acknowledged": True, "status": "deleted"}}

    async def remove_all(self, request: Request, feedId: str | None = None) -> Data:  # noqa: N803 - Novu's name
        """Remove all messages."""
        self._inbox.remove(request.state.user, Feed(feedId=feedId).has)
        await self._socket.counts_changed(request.state.user)
        return {"data": {"acknowledged": True, "status": "deleted"}}

    async def preferences(self, request: Request) -> Data:
        """Return what a user wants to hear of, by kind of message."""
        return {"data": [self._shown_preference(request.state.user, kind) for kind in _KINDS]}

    async def global_preferences(self, request: Request) -> Data:
        """Return what a user wants to hear of."""
        return {"data": [{"preference": self._preference(request.state.user, "")}]}

    async def set_preference(self, request: Request, change: Data, template_id: str = "") -> Data:
        """Change what a user wants to hear of; everything is delivered all the same."""
        preference, channel = self._preference(request.state.user, template_id), change.get("channel")
        if channel:
            preference["channels"][channel["type"]] = channel["enabled"]
        preference["enabled"] = change.get("enabled", preference["enabled"])
        self._preferences[request.state.user, template_id] = preference
        return {"data": self._shown_preference(request.state.user, template_id)}

    async def log_usage(self) -> Data:
        """Take what the widget tells of its use."""
        return {"data": {"success": True}}

    async def _mark_all(self, request: Request, body: Feed, mark: Mark) -> Data:
        count = self._inbox.mark(request.state.user, body.has, mark.seen, mark.read)
        await self._socket.counts_changed(request.state.user)
        return {"data": count}

    def _found(self, user: str, payload: Data, seen: bool | None, read: bool | None) -> list[Item]:
        def wanted(item: Item) -> bool:
            right = all(item.payload.get(name) == value for name, value in payload.items())
            return right and (seen is None or item.seen == seen) and (read is None or item.read == read)

        return self._inbox.find(user, wanted)

    def _shown_preference(self, user: str, kind: str) -> Data:
        template = {"_id": kind, "name": kind, "critical": False}
        return {"template": template, "preference": self._preference(user, kind)}

    def _preference(self, user: str, kind: str) -> Data:
        channels = dict.fromkeys(("in_app", "email", "sms", "chat", "push"), True)
        return self._preferences.get((user, kind)) or {"enabled": True, "channels": channels}


def _decoded(payload: str | None) -> Data:
    try:
        decoded = json.loads(base64.b64decode(payload, validate=True)) if payload else {}
    except (binascii.Error, ValueError) as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "payload must be base64 of JSON") from error
    return decoded if isinstance(decoded, dict) else {}


def router(tokens: Tokens, inbox: Inbox, socket: Socket) -> APIRouter:
    """Return the routes, and the socket."""
    widgets = Widgets(tokens, inbox, socket)
    routes = APIRouter()
    routes.add_api_route("/v1/widgets/session/initialize", widgets.initialize, methods=["POST"], status_code=201)
    for path, method, function in (
        ("/organization", "GET", widgets.organization),
        ("/notifications/unseen", "GET", widgets.unseen),
        ("/notifications/unread", "GET", widgets.unread),
        ("/notifications/count", "GET", widgets.count),
        ("/notifications/feed", "GET", widgets.feed),
        ("/messages/markAs", "POST", widgets.mark),
        ("/messages/mark-as", "POST", widgets.mark),
        ("/messages/read", "POST", widgets.read_all),
        ("/messages/seen", "POST", widgets.see_all),
        ("/messages/bulk/delete", "POST", widgets.remove_some),
        ("/messages/{message_id}/actions/{kind}", "POST", widgets.act),
        ("/messages/{message_id}", "DELETE", widgets.remove),
        ("/messages", "DELETE", widgets.remove_all),
        ("/preferences/global", "GET", widgets.global_preferences),
        ("/preferences", "GET", widgets.preferences),
        ("/preferences", "PATCH", widgets.set_preference),
        ("/preferences/{template_id}", "PATCH", widgets.set_preference),
        ("/usage/log", "POST", widgets.log_usage),
    ):
        asks = [Depends(widgets.user)]
        routes.add_api_route(f"/v1/widgets{path}", function, methods=[method], dependencies=asks)
    routes.add_websocket_route("/socket.io/", socket.app)
    return routes
