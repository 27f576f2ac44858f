"""The chart sets every setting, and refuses what is none."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from budapp.commons.config import Settings, load_settings
from tests.certificates import Authority
from tests.chart.conftest import EXAMPLES, Helm, Manifest, Render
from tests.chart.settings_schema import CHART, SCHEMA, TOKENS, secrets, secrets_schema, settings_schema

KEYS = "k1:" + "A" * 43 + "="
SECRETS = {"ENCRYPTION_KEYS": KEYS, "AUDIT_KEYS": KEYS, "API_KEY_PEPPERS": KEYS}
HINT = "run: .venv/bin/python -m tests.chart.settings_schema"


def container(manifest: Manifest) -> Manifest:
    """The only container of a Deployment or a Job."""
    (only,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(only)


def environment(manifest: Manifest) -> dict[str, str]:
    """What the container has in its environment, with made-up secrets."""
    entries = container(manifest)["env"]
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names)
    return {entry["name"]: entry.get("value", SECRETS.get(entry["name"], "secret")) for entry in entries}


def as_read(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The settings that budapp reads from an environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BUDAPP_ENV_FILE", str(tmp_path / "none"))
    return load_settings(configstore_name=None, secretstore_name=None)


def test_the_schema_has_every_setting_and_no_other() -> None:
    committed = json.loads(SCHEMA.read_text())["properties"]
    assert committed["settings"] == settings_schema(), HINT
    assert committed["secrets"]["properties"]["from"] == secrets_schema(), HINT


def test_the_page_names_every_setting_that_is_needed(root: Path) -> None:
    page = (root / "docs" / "kubernetes.md").read_text()
    needed = {name for name, wanted in secrets().items() if wanted} - TOKENS
    for name in needed.union(settings_schema()["required"]):
        assert f"`{name}`" in page or f"{name}=" in page, name


@pytest.mark.parametrize("example", EXAMPLES)
def test_budapp_starts_with_what_an_example_sets(
    render: Render, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, example: str
) -> None:
    manifests = render(example)
    for kind in ("Deployment", "Job"):
        for manifest in (one for key, one in manifests.items() if key[0] == kind):
            variables = environment(manifest)
            assert {name.lower() for name in variables} <= Settings.model_fields.keys()
            settings = as_read(variables, monkeypatch, tmp_path)
            assert settings.app_host == "0.0.0.0"
            assert settings.callback_base.startswith("http")


def test_every_setting_reaches_budapp_as_it_was_set(
    render: Render, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted: dict[str, Any] = {}
    for name, property_ in settings_schema()["properties"].items():
        kind = property_.get("type")
        default = property_.get("default")
        match kind:
            case "integer" | "number":
                wanted[name] = default + 1 if default + 1 <= property_.get("maximum", default + 1) else default
            case "boolean":
                wanted[name] = not default
            case "array":
                wanted[name] = ["10.1.0.0/16", "10.2.0.0/16"]
            case _:
                wanted[name] = default or "https://example.com"
    wanted |= {"SYSTEM_USER_ID": "00000000-0000-4000-8000-000000000001", "SUPER_USER_EMAIL": "a@example.com"}
    authority = str(Authority.make(tmp_path, "authority").file)
    wanted |= {"PSQL_SSL_MODE": "verify-ca", "PSQL_CA_FILE": authority, "MINIO_CA_FILE": authority}
    wanted["DATASET_FILE_MAX_BYTES"] = 123_456_789_012_345
    manifests = render("production", {"settings": wanted})
    variables = environment(manifests["Deployment", "bud-budapp"])
    assert variables.keys() == wanted.keys() | secrets().keys()
    settings = as_read(variables, monkeypatch, tmp_path).model_dump(mode="json")
    settings |= {"configstore_name": wanted["CONFIGSTORE_NAME"], "secretstore_name": wanted["SECRETSTORE_NAME"]}
    assert {name: settings[name.lower()] for name in wanted} == wanted


def test_secrets_come_by_reference_and_only_what_budapp_needs_must_be_there(render: Render) -> None:
    values = {"secrets": {"from": {"MINIO_ACCESS_KEY": {"name": "store", "key": "user"}}}}
    entries = container(render("small", values)["Deployment", "bud-budapp"])["env"]
    references = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in entries if "valueFrom" in entry}
    assert references.pop("APP_API_TOKEN") == {"name": "budapp-app-token", "key": "token"}
    assert references.pop("MINIO_ACCESS_KEY") == {"name": "store", "key": "user"}
    assert references.pop("PSQL_PASSWORD") == {"name": "postgresql", "key": "password"}
    rest = secrets().keys() - TOKENS - {"MINIO_ACCESS_KEY", "PSQL_PASSWORD"}
    assert references == {
        name: {"name": "budapp", "key": name} | ({} if secrets()[name] else {"optional": True}) for name in rest
    }


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("settings.PSQL_HSOT", "x", "PSQL_HSOT"),
        ("settings.PSQL_PASSWORD", "x", "PSQL_PASSWORD"),
        ("settings.PSQL_POOL_SIZE", "many", "PSQL_POOL_SIZE"),
        ("settings.PSQL_HOST", None, "PSQL_HOST"),
        ("settings.PUBLIC_URL", None, "PUBLIC_URL"),
        ("secrets.from.LOG_LEVEL", {"name": "a", "key": "b"}, "LOG_LEVEL"),
        ("secrets.from.PSQL_PASSWORD", {"name": "a"}, "key"),
        ("image.digset", "x", "digset"),
        ("components.pubsub.kafka.broker", "x", "broker"),
        ("dapr.resources.requests.cpus", "1", "cpus"),
        ("externalSecrets.enabled", True, "externalSecrets"),
        ("replica", 3, "replica"),
    ],
)
def test_what_the_chart_does_not_know_is_refused_by_name(
    helm: Helm, tmp_path: Path, path: str, value: object, said: str
) -> None:
    values = yaml.safe_load((CHART / "examples" / "small.yaml").read_text())
    *parents, name = path.split(".")
    place = values
    for parent in parents:
        place = place.setdefault(parent, {})
    place[name] = value
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm("template", f"--values={file}", "--kube-version=1.37")
    assert done.returncode != 0
    assert said in done.stderr
    assert "values don't meet the specifications of the schema" in done.stderr


def test_every_value_of_the_chart_stands_in_the_schema() -> None:
    """A value without a schema would be refused in a values file that sets it."""
    defaults, schema = yaml.safe_load((CHART / "values.yaml").read_text()), json.loads(SCHEMA.read_text())

    def compare(values: dict[str, Any], described: dict[str, Any], path: str) -> None:
        if "$ref" in described:
            described = schema["$defs"][described["$ref"].rpartition("/")[2]]
        if "properties" not in described:
            return
        assert described["additionalProperties"] is False, path
        assert values.keys() <= described["properties"].keys(), path
        if path not in {".settings", ".secrets.from"}:
            assert described["properties"].keys() - values.keys() <= {"global"}, path
        for name, value in values.items():
            if isinstance(value, dict):
                compare(value, described["properties"][name], f"{path}.{name}")

    compare(defaults, schema, "")
