"""What every stand-in can be asked beside its contract: what it was sent, what it does, and to do something wrong."""

import asyncio
import json
from collections import deque
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from peers import page
from peers.envelope import error
from peers.faults import TOLD_TO_FAIL, Fault, current_fault
from peers.settings import PeerSettings

_KEPT = 2000
_NOT_RECORDED = ("/control", "/health", "/dapr", "/favicon.ico", "/socket.io", "/v1/widgets")
_HEADERS = ("content-type", "dapr-caller-app-id", "traceparent", "x-request-id")


class Request(BaseModel):
    """A request as it came in."""

    received_at: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any

    @cached_property
    def text(self) -> str:
        """What `contains` searches."""
        sent_by = self.headers.get("x-request-id", "")
        return f"{self.path}?{self.query} {json.dumps(self.body, ensure_ascii=False)} {sent_by}"


class SentEvent(BaseModel):
    """An event as it was sent."""

    sent_at: datetime
    topics: list[str]
    type: str
    event: str
    status: str
    title: str
    message: str


class WorkRecord(BaseModel):
    """Work that a request has started."""

    workflow_id: str
    type: str
    status: str
    started_at: datetime
    workflow_of_caller: str | None
    events: list[SentEvent] = Field(default_factory=list)
    error: str | None = Field(default=None, description="Why it ended before its time")


class Speed(BaseModel):
    """How fast to work."""

    step_seconds: float = Field(ge=0, le=3600, description="How long a step of work takes")


class Control:
    """The requests, the work and the faults of one stand-in, in memory."""

    def __init__(self, name: str, settings: PeerSettings | None = None) -> None:
        self.name = name
        self.settings = settings or PeerSettings()
        self.speed = Speed(step_seconds=self.settings.peers_step_seconds)
        self.requests: deque[Request] = deque(maxlen=_KEPT)
        self.work: deque[WorkRecord] = deque(maxlen=_KEPT)
        self.faults: dict[str, Fault] = {}

    def found(self, contains: str) -> list[Request]:
        """Return the requests with a text in them, the oldest first."""
        return [request for request in self.requests if contains in request.text]

    def take_fault(self, request: Request) -> Fault | None:
        """Return the fault that a request meets, the longest match first, and count it."""
        text = request.text
        for contains in sorted(self.faults, key=len, reverse=True):
            if contains in text:
                return self._counted(self.faults[contains])
        return None

    def _counted(self, fault: Fault) -> Fault:
        if fault.times == 1:
            del self.faults[fault.contains]
        elif fault.times:
            self.faults[fault.contains] = fault.model_copy(update={"times": fault.times - 1})
        return fault

    def router(self) -> APIRouter:
        """Return the control routes, and the page that shows it all to a person."""
        routes = APIRouter(tags=["control"])
        routes.add_api_route("/", self._page, include_in_schema=False)
        for path, method, function in (
            ("/requests", "GET", self._list_requests),
            ("/requests", "DELETE", self._forget_requests),
            ("/work", "GET", self._list_work),
            ("/work/{workflow_id}", "GET", self._get_work),
            ("/faults", "GET", self._list_faults),
            ("/faults", "POST", self._set_fault),
            ("/faults", "DELETE", self._forget_faults),
            ("/speed", "PUT", self._set_speed),
        ):
            code = status.HTTP_204_NO_CONTENT if method == "DELETE" else status.HTTP_200_OK
            routes.add_api_route(f"/control{path}", function, methods=[method], status_code=code)
        routes.add_api_route("/control", self._page, include_in_schema=False)
        return routes

    async def _page(self) -> HTMLResponse:
        return HTMLResponse(page.activity(self.name, self.requests, self.work, self.faults.values()))

    async def _list_requests(self, contains: str = "") -> list[Request]:
        return self.found(contains)

    async def _forget_requests(self) -> Response:
        self.requests.clear()
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def _list_work(self, contains: str = "") -> list[WorkRecord]:
        return [work for work in self.work if contains in work.model_dump_json()]

    async def _get_work(self, workflow_id: str) -> WorkRecord:
        for work in self.work:
            if workflow_id in {work.workflow_id, work.workflow_of_caller}:
                return work
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No work of this id")

    async def _list_faults(self) -> list[Fault]:
        return list(self.faults.values())

    async def _set_fault(self, fault: Fault) -> Fault:
        """Replace the fault with the same `contains`."""
        self.faults[fault.contains] = fault
        return fault

    async def _forget_faults(self, contains: str | None = None) -> Response:
        """Forget one fault, or all."""
        if contains is None:
            self.faults.clear()
        else:
            self.faults.pop(contains, None)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def _set_speed(self, speed: Speed) -> Speed:
        """Change the speed of work that is still to start, until the stand-in restarts."""
        self.speed = speed
        return speed


class ControlMiddleware:
    """Record each request of the contract, and let it meet its fault."""

    def __init__(self, app: ASGIApp, control: Control) -> None:
        self._app = app
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith(_NOT_RECORDED):
            await self._app(scope, receive, send)
            return
        content = await _content(receive)
        request = _request(scope, content)
        self._control.requests.append(request)
        fault = self._control.take_fault(request)
        current_fault.set(fault)
        if fault is None:
            await self._app(scope, _replay(content, receive), send)
            return
        await _meet(fault, self._app, scope, _replay(content, receive), send)


async def _meet(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Handle a request as the fault wants it."""
    answer: list[Message] = []

    async def keep(message: Message) -> None:
        answer.append(message)

    if fault.but_do_it:
        await app(scope, receive, keep)
    await asyncio.sleep(fault.delay_seconds)
    if fault.hang:
        await _disconnected(receive)
    elif fault.status is not None:
        await _spoilt_answer(fault, fault.status)(scope, receive, send)
    elif fault.but_do_it:
        for message in answer:
            await send(message)
    else:
        await app(scope, receive, send)


def _spoilt_answer(fault: Fault, code: int) -> JSONResponse:
    return JSONResponse(fault.answer or error(TOLD_TO_FAIL), code)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _content(receive: Receive) -> bytes:
    content, more = b"", True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return content


def _replay(content: bytes, receive: Receive) -> Receive:
    """Return a `receive` that hands out a body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _request(scope: Scope, content: bytes) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(
        received_at=datetime.now(UTC),
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers={name: headers[name] for name in _HEADERS if name in headers},
        body=_parsed(content),
    )


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")
