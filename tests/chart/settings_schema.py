"""The settings of the service as the chart's values have them.

`python -m tests.chart.settings_schema` brings deploy/helm/budapp/values.schema.json in line with `Settings`.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from budapp.commons.config import Settings

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "budapp"
SCHEMA = CHART / "values.schema.json"
_NO_SETTINGS = {"from_stores"}
TOKENS = {"APP_API_TOKEN", "DAPR_API_TOKEN"}
"""Secrets that the sidecar has to know too, see the values' `dapr`."""
NEEDED_IN_A_CLUSTER = {"PUBLIC_URL"}
"""Settings whose default suits one machine alone."""
_ANNOTATIONS = {"title", "default", "format"}


def secrets() -> dict[str, bool]:
    """Return each secret setting, and whether the service needs it."""
    return {
        name.upper(): field.is_required()
        for name, field in Settings.model_fields.items()
        if field.annotation in {SecretStr, SecretStr | None}
    }


def settings_schema() -> dict[str, Any]:
    """Return the schema of the values' `settings`: every setting that is no secret."""
    described = Settings.model_json_schema()
    names = [name for name in described["properties"] if name.upper() not in secrets() and name not in _NO_SETTINGS]
    required = {name.upper() for name in described.get("required", []) if name in names} | NEEDED_IN_A_CLUSTER
    return {
        "type": "object",
        "description": "Settings of budapp, by the names of their environment variables: docs/reference/settings.md",
        "additionalProperties": False,
        "required": sorted(required),
        "properties": {name.upper(): _property(described["properties"][name]) for name in sorted(names)},
    }


def _property(described: dict[str, Any]) -> dict[str, Any]:
    """Return what a value must be: set or absent, but never null."""
    options = [option for option in described.get("anyOf", [described]) if option.get("type") != "null"]
    (only,) = options
    kept = {name: value for name, value in only.items() if name not in _ANNOTATIONS}
    default = described.get("default")
    kept["description"] = described["description"]
    return kept if default is None else {**kept, "default": default}


def secrets_schema() -> dict[str, Any]:
    """Return the schema of the values' `secrets.from`."""
    names = sorted(secrets().keys() - TOKENS)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"$ref": "#/$defs/secretKey"} for name in names},
    }


def rewrite() -> None:
    """Put the settings into the chart's schema."""
    schema = json.loads(SCHEMA.read_text())
    schema["properties"]["settings"] = settings_schema()
    schema["properties"]["secrets"]["properties"]["from"] = secrets_schema()
    SCHEMA.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    rewrite()
