"""Where a browser may be sent with an exchange token: to the frontends, and nowhere else."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[\x21-\x7e]+")
"""Browsers drop or bend other characters, and would go elsewhere than we think."""


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port (RFC 6454) of an absolute http(s) address; None where it is anything else."""
    if not _PLAIN.fullmatch(url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port if port is not None else _PORTS[parts.scheme]


def is_allowed(url: str, origins: Collection[str]) -> bool:
    """Tell whether the address is of exactly one of the origins."""
    origin = origin_of(url)
    return origin is not None and origin in {origin_of(allowed) for allowed in origins}
