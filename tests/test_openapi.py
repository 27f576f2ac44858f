"""The OpenAPI document is a promise: it changes only together with the committed copy, and never breaks a client."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from fastapi import FastAPI

SNAPSHOT = "docs/openapi.json"
ACCEPTED = "docs/openapi-accepted.txt"
"""Breaking changes that are meant, one message of oasdiff a line, with the reason in the commit."""

EARLIER_VERSIONS = 20


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
