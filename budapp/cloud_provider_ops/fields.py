"""What a provider's schema says of the values of a credential, and what may be shown of them. No database here."""

import re
from collections.abc import Mapping
from typing import Any

from budapp.commons.errors import UnprocessableContent

MASK = "********"
_SECRET = re.compile(r"secret|password|token|private|key", re.IGNORECASE)
_SHOWN = 4
_LONG_ENOUGH = 11
_MAX_LENGTH = 10_000


def check_values(schema: Mapping[str, Any], values: Mapping[str, str]) -> None:
    """Check the values of a credential against its provider's schema.

    Raises:
        UnprocessableContent: a value is missing, too many, or not as the schema says; the message names it.
    """
    properties: Mapping[str, Any] = schema["properties"]
    for name in values:
        if name not in properties:
            raise _refused(name if re.fullmatch(r"\w{1,60}", name) else "?", "is not a field of this provider")
    for name in schema.get("required", ()):
        if not values.get(name, "").strip():
            raise _refused(name, "is required")
    for name, value in values.items():
        _check(name, value, properties[name].get("rules") or {})


def _check(name: str, value: str, rules: Mapping[str, Any]) -> None:
    shortest, longest = rules.get("min_length", 1), rules.get("max_length", _MAX_LENGTH)
    if not shortest <= len(value) <= longest:
        raise _refused(name, f"must have {shortest} to {longest} characters")
    if not value.isprintable():
        raise _refused(name, "has a control character in it")
    pattern = rules.get("pattern")
    if pattern is not None and re.fullmatch(pattern, value) is None:
        raise _refused(name, "does not have the form that this provider's have")


def _refused(name: str, problem: str) -> UnprocessableContent:
    place = f"credential_values.{name}"
    errors = [{"loc": ["body", "credential_values", name], "msg": problem, "type": "value_error"}]
    return UnprocessableContent(f"{place} {problem}", param=place, errors=errors)


def summary_of(schema: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Return what may be shown of the values: nothing of secrets, and the ends of others that are long enough."""
    return {name: _masked(name, value, schema["properties"][name]) for name, value in values.items()}


def _masked(name: str, value: str, field: Mapping[str, Any]) -> str:
    secret = field.get("type") == "password" or (_SECRET.search(name) is not None and not name.endswith("_id"))
    if secret or len(value) < _LONG_ENOUGH:
        return MASK
    return f"{value[:_SHOWN]}…{value[-_SHOWN:]}"
