"""What surrounds every request: version prefix, request id, size limit, security headers, access log, metrics."""

import re
import time
from typing import Any
from uuid import uuid4

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from budapp.commons.context import Provenance, provenance, request_id
from budapp.commons.error_handlers import error_response
from budapp.commons.errors import AppError, BadRequest, PayloadTooLarge
from budapp.commons.logging import get_logger

logger = get_logger("budapp.access")

_VERSION_PREFIX = "/v1"
_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_QUIET = frozenset({"/livez", "/readyz", "/health", "/metrics"})

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "route", "status"])
_SECONDS = Histogram("http_request_duration_seconds", "Seconds until the end of the response", ["method", "route"])

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
]


class RequestMiddleware:
    """Wraps the application; pure ASGI, as it is on the way of every request.

    Args:
        app: what comes next.
        max_body_bytes: a larger body is refused with 413.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        exchange = _Exchange(scope, send, _usable_id(headers.get("x-request-id")))
        token = request_id.set(exchange.id)
        client = scope.get("client")
        address = client[0] if client else None
        came_from = provenance.set(Provenance("request", None, address, headers.get("user-agent"), scope))
        _mount_version(scope)
        try:
            refusal = self._refusal(headers.get("content-length", "0"))
            if refusal is not None:
                await error_response(refusal, scope["path"])(scope, receive, exchange.send)
            else:
                await self._app(scope, self._limited(receive), exchange.send)
        except Exception:  # the boundary: what nobody foresaw becomes a 500 without details
            logger.exception("request_failed", method=scope["method"], path=scope["path"])
            if not exchange.status:
                await error_response(AppError(), scope["path"])(scope, receive, exchange.send)
        finally:
            exchange.record()
            provenance.reset(came_from)
            request_id.reset(token)

    def _refusal(self, content_length: str) -> AppError | None:
        if not content_length.isdecimal():
            return BadRequest("Content-Length must be a number")
        return PayloadTooLarge() if int(content_length[:20]) > self._max_body_bytes else None

    def _limited(self, receive: Receive) -> Receive:
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise HTTPException(PayloadTooLarge.status)
            return message

        return limited


class _Exchange:
    """One request and what has been answered so far."""

    def __init__(self, scope: Scope, send: Send, id: str) -> None:
        self.id = id
        self.status = 0
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers: list[tuple[bytes, bytes]] = message["headers"]
            present = {name for name, _ in headers}
            headers.append((b"x-request-id", self.id.encode()))
            headers += [header for header in _SECURITY_HEADERS if header[0] not in present]
        await self._send(message)

    def record(self) -> None:
        seconds = time.perf_counter() - self._started
        scope = self._scope
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"  # clients may make methods up
        _REQUESTS.labels(method, route, self.status).inc()
        _SECONDS.labels(method, route).observe(seconds)
        if route in _QUIET:
            return
        details: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "status": self.status}
        caller = scope.get("caller")
        if caller is not None:
            details |= {"user_id": str(caller.user_id), "tenant_id": str(caller.tenant_id)}
        logger.info("request", **details, milliseconds=round(seconds * 1000, 1))


def _usable_id(sent: str | None) -> str:
    return sent if sent and _REQUEST_ID.fullmatch(sent) else uuid4().hex


def unversioned_path(scope: Scope) -> str:
    """Return the request's path without the version, which is the same for all clients."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _mount_version(scope: Scope) -> None:
    """Answer `/v1/...` and, for clients that know no version, the bare path alike; redirects keep the version."""
    if scope["path"].startswith(f"{_VERSION_PREFIX}/"):
        scope["root_path"] = _VERSION_PREFIX
