"""What proves the trail: a keyed hash of each entry, of each link of the chain, and of what leaves the house."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

SIGNED = (
    "id",
    "tenant_id",
    "user_id",
    "actioned_by",
    "action",
    "resource_type",
    "resource_id",
    "resource_name",
    "timestamp",
    "details",
    "previous_state",
    "new_state",
    "source",
    "ip_address",
    "user_agent",
    "request_id",
    "key_id",
)
"""The fields of an entry that its `record_hash` covers."""

FIRST = "0" * 64
"""Stands for the link before a chain's first one."""


class Keys:
    """The keys of the audit trail, the current one first; the others only verify.

    Args:
        keys: key id → 32 bytes.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    def sign(self, purpose: str, text: str, key_id: str | None = None) -> str:
        """Return the hexadecimal HMAC-SHA256 of the text for the purpose.

        Raises:
            KeyError: the key is not known.
        """
        key = self._keys[key_id or self.current]
        return hmac.new(key, f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()

    def matches(self, purpose: str, text: str, key_id: str, signature: str) -> bool:
        """Tell whether the signature is the one of the text; False where the key is not known."""
        return key_id in self._keys and hmac.compare_digest(self.sign(purpose, text, key_id), signature)

    def record_hash(self, entry: Mapping[str, Any]) -> str:
        """Return the hash of an entry that has its `key_id`."""
        return self.sign("entry", canonical(entry), entry["key_id"])

    def is_authentic(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether the entry is as it was written, by somebody with the key."""
        return self.matches("entry", canonical(entry), entry["key_id"], entry["record_hash"])

    def chain_hash(self, link: Mapping[str, Any], previous: str) -> str | None:
        """Return the hash that binds a seal to the one before it; None where its key is not known."""
        known = link["key_id"] in self._keys
        return self.sign("seal", link_text(link, previous), link["key_id"]) if known else None


def link_text(link: Mapping[str, Any], previous: str) -> str:
    """Return what the chain hash of a seal covers."""
    parts = (link["chain_id"], link["position"], link["entry_id"], link["record_hash"], link["key_id"], previous)
    return "|".join(map(str, parts))


def canonical(entry: Mapping[str, Any]) -> str:
    """Return the one text of an entry's signed fields, the same before and after PostgreSQL has had it."""
    return json.dumps({name: _plain(entry[name]) for name in SIGNED}, sort_keys=True, separators=(",", ":"))


def canonical_wire(entry: Mapping[str, Any]) -> str:
    """Return the canonical text of an entry that has been JSON."""
    return canonical({**entry, "timestamp": datetime.fromisoformat(entry["timestamp"])})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, int | float):
        return {"n": _number(value)}
    return str(value) if isinstance(value, UUID) else _unknown(value)


def _number(value: float) -> str:
    """Return one text for 1, 1.0 and 1e0: PostgreSQL does not keep them apart as Python does."""
    number = Decimal(repr(value))
    return str(number.normalize()) if number else "0"


def _unknown(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} has no canonical text")
