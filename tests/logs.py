"""What the service logs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from typing import Any

from budapp.commons.logging import configure_logging


class Logged:
    """The lines logged so far."""

    def __init__(self) -> None:
        self._written = BytesIO()
        self.stream = TextIOWrapper(self._written, write_through=True)

    @property
    def text(self) -> str:
        return self._written.getvalue().decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def of(self, *events: str) -> list[dict[str, Any]]:
        """Return the lines about these events."""
        found = (json.loads(line) for line in self.lines if line.startswith("{"))
        return [line for line in found if line["event"] in events]


@contextmanager
def collect_logs() -> Iterator[Logged]:
    """Have what is logged kept rather than shown."""
    logged = Logged()
    configure_logging("INFO", logged.stream)
    try:
        yield logged
    finally:
        configure_logging("INFO")
