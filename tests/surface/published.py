"""What docs/openapi.json says of an operation."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx

_FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
_OF_HTTP = {
    "accept-ranges",
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "etag",
    "last-modified",
    "referrer-policy",
    "set-cookie",
    "strict-transport-security",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
    "x-frame-options",
}
"""Headers that mean the same with every service."""

_SOMETIMES = {"idempotent-replayed", "retry-after"}


@cache
def published() -> dict[str, Any]:
    """Return the document as it is committed."""
    found: dict[str, Any] = json.loads(_FILE.read_text())
    return found


def described(operation: str) -> Mapping[str, Any]:
    """Return what the document says of `METHOD /path`; nothing where it leaves the operation out."""
    method, _, path = operation.partition(" ")
    found: Mapping[str, Any] = published()["paths"].get(path, {}).get(method.lower(), {})
    return found


def check_headers(operation: str, answer: httpx.Response) -> None:
    """Fail where an answer lacks a header that is declared, or has one that is not."""
    response = described(operation).get("responses", {}).get(str(answer.status_code))
    if response is None:
        return
    if "$ref" in response:
        response = published()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    declared = {name.lower() for name in response["headers"]}
    if answer.headers.get("content-type") == "application/json":  # not the file that the route may give instead
        declared -= {"content-disposition"}
    sent = set(answer.headers) - _OF_HTTP
    assert sent <= declared, f"docs/openapi.json does not name {sorted(sent - declared)}: {operation}"
    assert declared - _SOMETIMES <= sent, f"{operation} lacks {sorted(declared - sent)}"
