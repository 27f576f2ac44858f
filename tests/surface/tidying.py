"""Makes what was recorded fit to be published: the same each time, short, and with nothing secret in it."""

import re
from collections.abc import Callable
from typing import Any

_LONGEST_LIST = 2
_LONGEST_TEXT = 300
_SECRET = re.compile(r"password|secret|token$|^key$|api_key$|credential.*key", re.IGNORECASE)
_COUNTED = re.compile(r"(_ms|_seconds|latency|uptime)$")


class Tidy:
    """Tidies one request and its answer together, so that an id is the same in both."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}

    def __call__(self, value: Any, name: str = "") -> Any:
        """Return the value of the member, tidied."""
        if isinstance(value, dict):
            return {self._text(key): self(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self(inner, name) for inner in value[:_LONGEST_LIST]]
        if isinstance(value, float) and _COUNTED.search(name):
            return float(round(value))
        if not isinstance(value, str):
            return value
        if _SECRET.search(name) and value:
            return "example-Secret-1"
        return self._text(value)

    def _text(self, value: str) -> str:
        for pattern, stand_in in _STAND_INS:
            value = pattern.sub(lambda match, make=stand_in: make(self._number(match)), value)  # type: ignore[misc]
        return value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}…"

    def _number(self, match: re.Match[str]) -> int:
        """Return the number of what was found, among those that the same pattern finds."""
        seen = self._numbers.setdefault(match.re.pattern, {})
        return seen.setdefault(match[0], len(seen) + 1)


_STAND_INS: list[tuple[re.Pattern[str], Callable[[int], str]]] = [
    (re.compile(r"\?[^\s\"]*X-Amz-[^\s\"]*"), lambda n: "?X-Amz-Signature=example"),
    (
        re.compile(r"(?<=state=)[\w-]{43}|(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{43}(?![\w-])"),
        lambda n: f"example-state-{n}",
    ),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), lambda n: "example-token"),
    (re.compile(r"eyJ[\w-]{10,}={0,2}"), lambda n: "example-cursor"),
    (re.compile(r"test-(?:master|gw\d+)-\d+-[\w-]+"), lambda n: f"tenant-{n}"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), lambda n: f"{_ID}{n:012}"),
    (re.compile(r"(?<![0-9A-Za-z])(?=[0-9a-f]*[0-9])[0-9a-f]{32,64}(?![0-9A-Za-z])"), lambda n: f"{n:032x}"),
    (re.compile(r"(?<![0-9A-Za-z])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{16}(?![0-9A-Za-z])"), lambda n: f"{n:016x}"),
    (re.compile(r"(?<![0-9A-Za-z])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{12}(?![0-9A-Za-z])"), lambda n: f"{n:012x}"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), lambda n: "2026-01-15T09:30:00Z"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(?![\d.Z+-])"), lambda n: "2026-01-15T09:30:00"),
    (re.compile(r"20\d\d-\d\d-\d\d(?!T)"), lambda n: "2026-01-15"),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), lambda n: f"person{n}@example.com"),
    (re.compile(r"https?://(127\.0\.0\.1|localhost)(:\d+)?"), lambda n: "https://service.example.com"),
]
_ID = "01980000-0000-7000-8000-"
