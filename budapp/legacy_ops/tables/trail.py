"""The audit trail: records whose own hash is verified first, and which then stand in our chain."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from budapp.audit.models import AuditEntry
from budapp.audit.snapshots import kept
from budapp.legacy_ops.declarations import Move, Old, Ref, Row, constant
from budapp.legacy_ops.tables.people import PLATFORM_TENANT

SOURCE = "legacy"
_HASHED = (
    *("action", "resource_type", "resource_id", "resource_name", "user_id", "actioned_by", "timestamp"),
    *("details", "ip_address", "previous_state", "new_state"),
)
_SOMEBODY = Ref("user", optional=True, quiet=True)


def old_hash(record: Mapping[str, Any]) -> str:
    """Return the hash that the former service gave a record with these values."""
    return hashlib.sha256("|".join(_plain(record[name]) for name in _HASHED).encode()).hexdigest()


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return str(value)


def _is_verified(old: Old) -> bool:
    return bool(old["record_hash"] == old_hash({name: old[name] for name in _HASHED}))


def _state(name: str) -> Any:
    def value(old: Old) -> dict[str, Any] | None:
        found = old[name]
        if found is None:
            return None
        state = found if isinstance(found, dict) else {"value": found}
        return {key: kept(key, item) for key, item in state.items()}

    return value


def _details(old: Old) -> dict[str, Any]:
    verified = _is_verified(old)
    if not verified:
        old.remark("its hash is missing" if old["record_hash"] is None else "its hash is not the one of its values")
    own = _state("details")(old) or {}
    return {**own, "legacy": {"sha256": old["record_hash"], "verified": verified}}


def _somebody(name: str) -> Any:
    def value(old: Old) -> Any:
        row = old.ref(name)
        return old[name] if row is None else row["id"]

    return value


def _tenant(old: Old) -> Any:
    whose = old.ref("user_id") or old.ref("actioned_by")
    platform = old.ref("platform")
    return whose["tenant_id"] if whose is not None else platform["id"] if platform is not None else None


def _sign(row: Row, old: Old) -> None:
    row["record_hash"] = old.context.audit_keys.record_hash(row)


MOVES = (
    Move(
        "audit_trail",
        AuditEntry,
        refs={"user_id": _SOMEBODY, "actioned_by": _SOMEBODY, "platform": Ref("tenant", optional=True, quiet=True)},
        extra={"platform": PLATFORM_TENANT},
        columns={
            "tenant_id": _tenant,
            "user_id": _somebody("user_id"),
            "actioned_by": _somebody("actioned_by"),
            "details": _details,
            "previous_state": _state("previous_state"),
            "new_state": _state("new_state"),
            "source": constant(SOURCE),
            "key_id": lambda old: old.context.audit_keys.current,
            "record_hash": constant(""),
        },
        finish=_sign,
    ),
)
