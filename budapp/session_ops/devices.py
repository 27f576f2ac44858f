"""What a browser calls itself, in words for a person."""

from dataclasses import dataclass
from functools import lru_cache

from ua_parser import OS, UserAgent, parse

UNKNOWN = "Unknown device"


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or another program, and what it runs on, as far as they are known."""

    browser: str | None
    os: str | None

    def __str__(self) -> str:
        return " on ".join(part for part in (self.browser, self.os) if part) or UNKNOWN


@lru_cache(1000)
def device_of(user_agent: str | None) -> Device:
    """Read a `User-Agent` header; programs that the parser does not know go by their first word.

    The first call in a process takes about a tenth of a second.
    """
    found = parse(user_agent or "")
    browser = _versioned(found.user_agent, 1) or (user_agent or "").partition(" ")[0][:50]
    return Device(browser or None, _versioned(found.os, 2))


def _versioned(part: UserAgent | OS | None, numbers: int) -> str | None:
    """Return name and version, with so many of its numbers."""
    if part is None:
        return None
    version = ".".join([number for number in (part.major, part.minor) if number][:numbers])
    return f"{part.family} {version}".strip()
