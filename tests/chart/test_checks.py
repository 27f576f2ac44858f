"""What others have to say of the chart: helm, the schemas of Kubernetes and of the operators, and checkov."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.conftest import EXAMPLES, NEWEST, OLDEST, Helm, Manifest, Render, program
from tests.chart.custom_kinds import known
from tests.chart.settings_schema import CHART

ACCEPTED = {
    "CKV_K8S_35": set(EXAMPLES),  # secrets as files: budapp takes its settings from the environment
    "CKV_K8S_43": {"small"},  # a digest: a trial names a tag
}
"""What checkov finds and is meant → the examples in which it does."""

THEIRS = {
    "small": {"Component", "Resiliency"},
    "production": {"Component", "Resiliency", "ExternalSecret", "ServiceMonitor", "PrometheusRule"},
    "umbrella": set[str](),
}
"""Kinds that are not Kubernetes' own, by example."""


def kind_of(manifest: Manifest) -> str:
    return f"{manifest['apiVersion']} {manifest['kind']}"


def misfits(manifest: Manifest, folder: Path) -> str:
    """What is wrong with a manifest of a kind that is not Kubernetes' own; nothing if it fits."""
    schema, instance = folder / "schema.json", folder / "instance.json"
    schema.write_text(json.dumps(known()[kind_of(manifest)]))
    instance.write_text(json.dumps(manifest))
    command = [program("CHART_PYTHON"), "-W", "ignore", "-m", "jsonschema", "-i", str(instance), str(schema)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr), done.stderr
    return done.stderr


@pytest.mark.parametrize("example", EXAMPLES)
def test_helm_finds_nothing_to_say(helm: Helm, example: str) -> None:
    values = CHART / "examples" / f"{example}.yaml"
    done = helm("lint", "--strict", "--quiet", f"--kube-version={NEWEST}", f"--values={values}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_manifests_are_what_kubernetes_takes(render: Render, tmp_path: Path, example: str, version: str) -> None:
    own = [one for one in render(example, version=version).values() if kind_of(one) not in known()]
    assert len(own) > 7
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(yaml.safe_dump_all(own))
    command = [program("CHART_PYTHON"), "-m", "kubernetes_validate", "--strict", "-k", version, str(manifests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" passed for resource ") == len(own), done.stdout


def test_a_field_that_kubernetes_does_not_know_is_found(render: Render, tmp_path: Path) -> None:
    deployment = render("small")["Deployment", "bud-budapp"]
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(yaml.safe_dump(deployment))
    command = [program("CHART_PYTHON"), "-m", "kubernetes_validate", "--strict", str(manifests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "readynessProbe" in done.stdout + done.stderr


@pytest.mark.parametrize("example", EXAMPLES)
def test_dapr_and_the_operators_take_what_is_theirs(render: Render, tmp_path: Path, example: str) -> None:
    theirs = [one for one in render(example).values() if kind_of(one) in known()]
    assert {one["kind"] for one in theirs} == THEIRS[example]
    assert [found for one in theirs if (found := misfits(one, tmp_path))] == []


def test_a_field_that_an_operator_does_not_know_is_found(render: Render, tmp_path: Path) -> None:
    monitor = render("production")["ServiceMonitor", "bud-budapp"]
    monitor["spec"]["endpoints"][0]["intervall"] = "30s"
    assert "intervall" in misfits(monitor, tmp_path)


def test_checkov_finds_no_weakness(render: Render, tmp_path: Path) -> None:
    files = {example: tmp_path / f"{example}-manifests.yaml" for example in EXAMPLES}
    for example, file in files.items():
        file.write_text(yaml.safe_dump_all(render(example).values()))
    options = ["--framework", "kubernetes", "--skip-download", "--quiet", "--compact", "--output", "json"]
    command = [program("CHART_PYTHON"), "-m", "checkov.main", "--file", *map(str, files.values()), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 500
    assert report["summary"]["parsing_errors"] == 0
    found: dict[str, set[str]] = {}
    for check in report["results"]["failed_checks"]:
        example = Path(check["file_path"]).stem.removesuffix("-manifests")
        found.setdefault(check["check_id"], set()).add(example)
    assert found == ACCEPTED
