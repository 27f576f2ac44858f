"""What belongs to the request (or event) being handled, wherever the code is."""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
