"""The OpenAPI document is a promise: it changes only together with the committed copy, and never breaks a client."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from fastapi import FastAPI
from stack.lint import check_document
from stack.python_env import Workshop
from stack.settings import DEV_STATE, cache_folder

from budapp.commons.openapi import build_openapi, operation_name

SNAPSHOT = "docs/openapi.json"
ACCEPTED = "docs/openapi-accepted.txt"
"""Breaking changes that are meant, one message of oasdiff a line, with the reason in the commit."""

EARLIER_VERSIONS = 8


def test_the_committed_document_is_the_one_that_is_served(app: FastAPI, root: Path) -> None:
    committed = json.loads((root / SNAPSHOT).read_text())
    assert app.openapi() == committed, f"look at the change, then: .venv/bin/budapp openapi > {SNAPSHOT}"


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def test_no_earlier_version_of_the_document_is_broken(root: Path, tmp_path: Path) -> None:
    oasdiff = os.environ.get("OASDIFF")
    if oasdiff is None:
        pytest.fail("OASDIFF must say where oasdiff is; deploy/run_tests.sh does")
    revisions = git(root, "log", f"-{EARLIER_VERSIONS}", "--format=%H", "--", SNAPSHOT).split()
    accepted = ["--err-ignore", ACCEPTED] if (root / ACCEPTED).exists() else []
    for revision in revisions:
        earlier = tmp_path / f"{revision}.json"
        earlier.write_text(git(root, "show", f"{revision}:{SNAPSHOT}"))
        command = [oasdiff, "breaking", *accepted, "--fail-on", "ERR", str(earlier), SNAPSHOT]
        compared = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert compared.returncode == 0, f"since {revision[:10]}:\n{compared.stdout}{compared.stderr}"


def test_spectral_and_redocly_find_nothing() -> None:
    check_document(Workshop(cache_folder(), DEV_STATE))


@pytest.mark.parametrize(
    ("tag", "function", "name"),
    [
        ("projects", "create_project", "projects_create"),
        ("projects", "list_projects", "projects_list"),
        ("api keys", "revoke_all_api_keys", "api_keys_revoke_all"),
        ("cluster metrics", "get_node_events", "cluster_metrics_get_node_events"),
        ("events", "stream", "events_stream"),
    ],
)
def test_operations_have_names_that_read_well_in_a_generated_client(tag: str, function: str, name: str) -> None:
    assert operation_name(tag, function) == name


def test_each_operation_has_a_name_of_its_own_and_a_described_tag(root: Path) -> None:
    document = json.loads((root / SNAPSHOT).read_text())
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name) for name in names)
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert {operation["tags"][0] for operation in operations} == described


def test_two_routes_with_one_name_are_refused() -> None:
    app = FastAPI()
    for path in ("/one", "/two"):
        app.get(path, tags=["things"])(lambda: None)
    with pytest.raises(RuntimeError, match="two routes are called things_<lambda>"):
        build_openapi(app)


def test_no_two_schemas_share_a_name(root: Path) -> None:
    """FastAPI then puts the module into the names, and generated clients change as modules move."""
    schemas = json.loads((root / SNAPSHOT).read_text())["components"]["schemas"]
    assert [name for name in schemas if name.startswith("budapp__")] == []
