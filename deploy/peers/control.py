"""What every stand-in can be asked beside its contract: what it was sent, and to do something wrong."""

import asyncio
import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEPT = 2000
_NOT_RECORDED = ("/control", "/health", "/dapr")
_HEADERS = ("content-type", "dapr-caller-app-id", "traceparent")


class Fault(BaseModel):
    """Something to do wrong, from now on or a number of times."""

    model_config = ConfigDict(extra="forbid")

    contains: str = Field(default="", description="Only for requests whose path or body contains this text")
    fail_next: int = Field(default=0, ge=0, description="How many requests fail")
    status: int = Field(default=500, ge=400, le=599, description="What a failing request is answered")
    answer_error_object: bool = Field(default=False, description="Fail with 200 and an error object instead")
    delay_seconds: float = Field(default=0, ge=0, le=600, description="How long each request waits, failing or not")


class Request(BaseModel):
    """A request as it came in."""

    received_at: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any

    def text(self) -> str:
        """Return what `contains` searches."""
        return f"{self.path}?{self.query} {json.dumps(self.body, ensure_ascii=False)}"


class Control:
    """The requests and the faults of one stand-in, in memory."""

    def __init__(self) -> None:
        self.requests: deque[Request] = deque(maxlen=_KEPT)
        self.faults: dict[str, Fault] = {}

    def found(self, contains: str) -> list[Request]:
        """Return the requests with a text in them, the oldest first."""
        return [request for request in self.requests if contains in request.text()]

    def fault_for(self, request: Request) -> Fault | None:
        """Return the fault that a request meets, the longest match first."""
        text = request.text()
        for contains in sorted(self.faults, key=len, reverse=True):
            if contains in text:
                return self.faults[contains]
        return None

    def router(self) -> APIRouter:
        """Return the control routes."""
        router = APIRouter(prefix="/control", tags=["control"])

        @router.get("/requests")
        async def list_requests(contains: str = "") -> list[Request]:
            return self.found(contains)

        @router.delete("/requests", status_code=status.HTTP_204_NO_CONTENT)
        async def forget_requests() -> Response:
            self.requests.clear()
            return Response(status_code=status.HTTP_204_NO_CONTENT)

        @router.get("/faults")
        async def list_faults() -> list[Fault]:
            return list(self.faults.values())

        @router.post("/faults")
        async def set_fault(fault: Fault) -> Fault:
            """Replace the fault with the same `contains`."""
            self.faults[fault.contains] = fault
            return fault

        @router.delete("/faults", status_code=status.HTTP_204_NO_CONTENT)
        async def forget_faults() -> Response:
            self.faults.clear()
            return Response(status_code=status.HTTP_204_NO_CONTENT)

        return router


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
        fault = self._control.fault_for(request)
        if fault:
            await asyncio.sleep(fault.delay_seconds)
        if fault and fault.fail_next:
            fault.fail_next -= 1
            await _failure(fault)(scope, receive, send)
            return
        await self._app(scope, _replay(content, receive), send)


def _failure(fault: Fault) -> JSONResponse:
    body = {"object": "error", "message": "The stand-in was told to fail", "type": "InternalServerError", "param": None}
    return JSONResponse(body, status.HTTP_200_OK if fault.answer_error_object else fault.status)


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
