"""The chart as helm renders it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.settings_schema import CHART

EXAMPLES = sorted(path.stem for path in (CHART / "examples").glob("*.yaml"))
NEWEST, OLDEST = "1.37", "1.27"
"""Versions of Kubernetes that the chart is for."""

Manifest = dict[str, Any]
Manifests = dict[tuple[str, str], Manifest]
"""Kind and name → manifest."""

Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., Manifests]


def program(variable: str) -> str:
    """Return where a program of the tests is."""
    found = os.environ.get(variable)
    if found is None:
        pytest.fail(f"{variable} must say where the program is; deploy/run_tests.sh does")
    return found


@pytest.fixture
def helm() -> Helm:
    """Run helm on the chart."""

    def run(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        name = ["bud"] if command == "template" else []
        words = [program("HELM"), command, *name, str(CHART), "--namespace=bud", *arguments]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def render(helm: Helm, tmp_path: Path) -> Render:
    """Render an example, with other values over its own."""

    def manifests(example: str, values: dict[str, Any] | None = None, version: str = NEWEST) -> Manifests:
        own = tmp_path / "values.yaml"
        own.write_text(yaml.safe_dump(values or {}))
        files = [f"--values={CHART / 'examples' / example}.yaml", f"--values={own}"]
        done = helm("template", f"--kube-version={version}", *files)
        assert done.returncode == 0, done.stderr
        found = [document for document in yaml.safe_load_all(done.stdout) if document]
        named = {(document["kind"], document["metadata"]["name"]): document for document in found}
        assert len(named) == len(found)
        return named

    return manifests
