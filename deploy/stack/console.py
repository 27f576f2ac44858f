"""What the user reads: one line per step, and errors that say what to do."""

import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path


class StackError(Exception):
    """Something that the user has to know; the message says which part, why and what to do."""


class Stopwatch:
    """Counts the seconds of one step."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._start

    def __str__(self) -> str:
        """The seconds the way a step reports them."""
        return f"({self.seconds:.1f} s)"


def say(text: str = "") -> None:
    """Print one line at once, whole even when several threads print, as long as somebody reads."""
    with suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def indented(text: str) -> str:
    """Return a block of foreign output, set off from our own lines."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def last_lines(log: Path, count: int = 15, offset: int = 0, if_empty: str = "(nothing was logged)") -> str:
    """Return the end of a log, indented; `offset` is where the present run began."""
    try:
        with log.open("rb") as file:
            file.seek(offset if offset <= log.stat().st_size else 0)
            lines = deque(file, maxlen=count)
    except OSError:
        lines = deque()
    text = b"".join(lines).decode(errors="replace").strip()
    return indented(text or if_empty)
