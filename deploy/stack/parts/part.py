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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
