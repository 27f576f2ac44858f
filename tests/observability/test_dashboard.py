"""The dashboard and the alerts name only metrics that the service has, with labels that they have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from prometheus_client import REGISTRY

_SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_created")
_FUNCTIONS = {
    *("sum", "max", "min", "avg", "rate", "increase", "topk", "by", "bool", "histogram_quantile", "label_replace"),
    *("le", "and", "or", "unless", "on", "without"),
}
_OF_PROMETHEUS = {"job", "exported_job", "job_name", "le"}
"""Labels that Prometheus puts on, and one that a query of ours does."""


@pytest.fixture(scope="module")
def known(app: FastAPI) -> dict[str, set[str]]:
    """Metric → its labels."""
    found: dict[str, set[str]] = {}
    for collector, names in REGISTRY._collector_to_names.items():
        for name in names:
            found[name] = set(getattr(collector, "_labelnames", ()))
    return found


def expressions(root: Path) -> Iterator[tuple[str, str]]:
    folder = root / "deploy" / "observability"
    for panel in json.loads((folder / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for group in yaml.safe_load((folder / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def names_in(expression: str) -> set[str]:
    """The metrics of an expression: words that are no function, label or text."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)", "", bare)
    return {word for word in re.findall(r"[a-z_][a-z0-9_]*", bare) if word not in _FUNCTIONS}


def labels_in(expression: str) -> set[str]:
    matched = {label for part in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)\s*=", part)}
    grouped = {label.strip() for part in re.findall(r"\bby \(([^)]*)\)", expression) for label in part.split(",")}
    return matched | grouped


def test_every_metric_and_label_exists(root: Path, known: dict[str, set[str]]) -> None:
    seen: set[str] = set()
    for title, expression in expressions(root):
        metrics = names_in(expression)
        assert metrics, title
        for metric in metrics:
            base = next((name for name in (metric, *_stems(metric)) if name in known), None)
            assert base is not None, f"{title}: there is no metric {metric}"
            seen.add(base)
        labels = set.union(*(known[name] for name in (*metrics, *map(_base, metrics)) if name in known))
        assert labels_in(expression) <= labels | _OF_PROMETHEUS, f"{title}: {labels_in(expression) - labels}"
    assert len(seen) > 10


def _stems(metric: str) -> list[str]:
    return [metric.removesuffix(suffix) for suffix in _SUFFIXES if metric.endswith(suffix)]


def _base(metric: str) -> str:
    return next(iter(_stems(metric)), metric)


def test_alerts_say_what_to_do(root: Path) -> None:
    rules: list[Any] = []
    for group in yaml.safe_load((root / "deploy" / "observability" / "alerts.yaml").read_text())["groups"]:
        rules += group["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "action"} <= rule["annotations"].keys()


def test_a_metric_that_is_not_there_is_found() -> None:
    assert names_in('sum by (kind) (rate(budapp_made_up_total{job=~"$job"}[5m]))') == {"budapp_made_up_total"}
    assert labels_in('sum by (kind, type) (x{job=~"a",status="b"})') == {"kind", "type", "job", "status"}
