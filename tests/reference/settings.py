"""Every setting: its variable, type, default and meaning."""

from enum import Enum
from types import NoneType
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from budapp.commons.config import LIVE, Settings
from tests.reference.markdown import code, page, table

_NO_SETTINGS = {"from_stores"}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_LEAD = """
Where settings come from: [configuration](../configuration.md). A setting that is *live* follows the configuration
store while budapp runs; all others need a restart. A list has commas between its items. Times are in the unit that the
name ends with.
"""


def render() -> str:
    """Return the page."""
    described = Settings.model_json_schema()["properties"]
    fields = {name: field for name, field in Settings.model_fields.items() if name not in _NO_SETTINGS}
    required = [_row(name, field, described[name]) for name, field in fields.items() if field.is_required()]
    optional = [_row(name, field, described[name]) for name, field in fields.items() if not field.is_required()]
    needed = table(["variable", "type", "meaning"], ([name, kind, meaning] for name, kind, _, meaning in required))
    rest = table(["variable", "type", "default", "meaning"], optional)
    return page("Settings", _LEAD, "## Required", needed, "## With a default", rest)


def _row(name: str, field: FieldInfo, described: dict[str, Any]) -> list[str]:
    live = " *Live.*" if LIVE in field.metadata else ""
    return [code(name.upper()), _kind(field, described), _default(field), f"{field.description}{live}"]


def _kind(field: FieldInfo, described: dict[str, Any]) -> str:
    if SecretStr in {field.annotation, *get_args(field.annotation)}:
        return "secret"
    (only,) = [option for option in described.get("anyOf", [described]) if option.get("type") != "null"]
    if "enum" in only:
        return ", ".join(code(value) for value in only["enum"])
    limits = [f"{sign} {only[limit]:g}" for limit, sign in _LIMITS.items() if limit in only]
    return ", ".join([only.get("format", {"array": "list"}.get(only["type"], only["type"])), *limits])


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, NoneType) or value == []:
        return ""
    if isinstance(value, list):
        return code(",".join(value))
    return code(str(value).lower() if isinstance(value, bool) else value.value if isinstance(value, Enum) else value)
