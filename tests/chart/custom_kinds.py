"""The schemas of the kinds that Dapr and two operators bring, without what they describe them by.

`python -m tests.chart.custom_kinds FILE ...` takes them from CustomResourceDefinitions; the committed ones are those of
Dapr 1.14.0, External Secrets 0.16.2 and the Prometheus operator 0.85.0.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).with_name("custom_kinds.json")
_PROSE = {"description", "title"}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that refuses what it does not name, as Kubernetes does with strict field validation."""
    kept = {name: value for name, value in schema.items() if name not in _PROSE and not name.startswith("x-")}
    if "(?i)" in kept.get("pattern", ""):  # Go has flags anywhere, Python at the beginning alone
        kept["pattern"] = "(?i)" + kept["pattern"].replace("(?i)", "")
    if "properties" in kept:
        kept["properties"] = {name: strict(value) for name, value in kept["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            kept["additionalProperties"] = False
    for name in ("items", "additionalProperties"):
        if isinstance(kept.get(name), dict):
            kept[name] = strict(kept[name])
    if schema.get("x-kubernetes-int-or-string"):
        kept = {"type": ["integer", "string"]}
    return kept


def kinds(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return kind and version → schema, of one CustomResourceDefinition."""
    spec = definition["spec"]
    found = {}
    for version in spec["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        found[f"{spec['group']}/{version['name']} {spec['names']['kind']}"] = schema
    return found


def known() -> dict[str, dict[str, Any]]:
    """Return the committed schemas, by `<apiVersion> <kind>`."""
    return dict(json.loads(SCHEMAS.read_text()))


def rewrite(files: list[str]) -> None:
    """Replace the schemas by those of the files."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        for definition in yaml.safe_load_all(Path(file).read_text()):
            if definition:
                found |= kinds(definition)
    lines = [f"{json.dumps(kind)}: {json.dumps(found[kind], separators=(',', ':'))}" for kind in sorted(found)]
    SCHEMAS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    rewrite(sys.argv[1:])
