"""What the stack has to know about a part, and the ways to ask whether one is ready."""

import http.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


def _nothing() -> None:
    """Stand in for a preparation that a part does not need."""


@dataclass(frozen=True)
class Part:
    """One supervised process."""

    name: str
    title: str
    command: Sequence[str | Path]
    ready: Callable[[], bool]
    ports: Mapping[str, int]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = _nothing
    stop_signal: str = "TERM"
    seconds: int = 60
    version: str = ""
    """Changes when the part has to be restarted although its command and environment stayed the same."""


def answers_http(port: int, path: str) -> bool:
    """Return whether an HTTP server on this machine answers a GET with success."""
    return 200 <= http_status(port, path) < 300


def http_status(port: int, path: str, form: str | None = None) -> int:
    """Return the status of a GET, or of a POST of a form; 0 where nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
    try:
        connection.request("POST" if form else "GET", path, form, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
