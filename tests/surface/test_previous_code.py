"""The code of before the newest migration works on today's schema: while replicas are replaced, both run on it."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from budapp.commons.config import Settings
from budapp.commons.database import Base
from tests.failures import failures
from tests.replicas import Replica, running_replica
from tests.surface.callers import CALLERS
from tests.surface.matrix import parse_matrix
from tests.surface.routes import ROUTES
from tests.surface.shares import FOLDERS
from tests.surface.surface import Surface

CALLER = "admin"
KEPT = ("budapp", "alembic", "alembic.ini", "tests")

GONE = {"404"}
"""The replica's own jobs take away what the scene has made up, such as providers that no catalog names."""

COLUMNS = """
import json
from budapp.commons.database import Base
from budapp.domains import TABLES
print(json.dumps({table.name: {column.name: str(column.type) for column in table.columns}
                  for table in Base.metadata.tables.values()}))
"""


def git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def previous(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the commit before the one that brought the newest migration."""
    newest = git(root, "log", "-1", "--diff-filter=A", "--format=%H", "--", "alembic/versions").decode().strip()
    folder = tmp_path_factory.mktemp("previous")
    archive = git(root, "archive", f"{newest}^", *KEPT)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    return folder


@pytest.fixture
async def replica(settings: Settings, surface: Surface, previous: Path) -> AsyncIterator[Replica]:
    """A process of that code on the database of the scene."""
    apart = settings.model_copy(update={"caller_cache_seconds": 0})
    async with running_replica(apart, code=previous) as found:
        yield found


def columns_of(code: Path) -> dict[str, dict[str, str]]:
    """Return table → column → type, as the code has them."""
    done = subprocess.run([sys.executable, "-c", COLUMNS], cwd=code, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def faults(before: dict[str, dict[str, str]]) -> list[str]:
    """Return what of today's schema keeps that code from reading and writing its tables."""
    found = []
    for name, columns in before.items():
        table = Base.metadata.tables.get(name)
        if table is None:
            found.append(f"{name} is gone")
            continue
        now = {column.name: str(column.type) for column in table.columns}
        found += [f"{name}.{one}, {kind}, is gone or another one" for one, kind in columns.items() - now.items()]
        found += [
            f"{name}.{column.name} has to be written"
            for column in table.columns
            if column.name not in columns and not column.nullable and column.server_default is None
        ]
    return found


def test_what_the_previous_code_reads_and_writes_is_there(previous: Path) -> None:
    before = columns_of(previous)
    assert len(before) > 60
    assert faults(before) == []


def test_a_column_that_is_dropped_changed_or_demanded_is_found() -> None:
    columns = {column.name: str(column.type) for column in Base.metadata.tables["project"].columns}
    assert faults({"project": columns}) == []
    assert faults({"nosuch": {}}) == ["nosuch is gone"]
    assert faults({"project": columns | {"color": "VARCHAR"}}) == ["project.color, VARCHAR, is gone or another one"]
    del columns["name"]
    assert faults({"project": columns}) == ["project.name has to be written"]


def expected_of(previous: Path) -> dict[str, str]:
    """Return which status the previous code's own matrices expect for each read."""
    files = (previous / "tests" / folder.name / "access_matrix.txt" for folder in FOLDERS.values())
    rows = {name: row for file in files for name, row in parse_matrix(file).items()}
    position = list(CALLERS).index(CALLER)
    return {name: row[position] for name, row in rows.items() if name.startswith("GET ") and name in ROUTES}


async def test_the_previous_code_reads_all_that_is_there(surface: Surface, replica: Replica, previous: Path) -> None:
    asking = replace(surface, client=replica.http)
    expected = expected_of(previous)
    assert len(expected) > 100
    with failures() as failed:
        for operation, status in sorted(expected.items()):
            with failed(operation):
                answer = await asking.ask(operation, CALLER, surface.scene.here)
                assert str(answer.status_code) in {status, *GONE}, answer.text


async def test_what_one_of_them_writes_the_other_reads_and_changes(surface: Surface, replica: Replica) -> None:
    both = [surface, replace(surface, client=replica.http)]
    for writer, reader in (both, both[::-1]):
        await walk(writer, reader)


async def walk(writer: Surface, reader: Surface) -> None:
    """Have one make a project, a key and a role, and the other show, rename and delete them."""
    person = writer.person("super_admin")
    assert person is not None

    async def call(surface: Surface, method: str, path: str, **body: Any) -> Any:
        answer = await surface.client.request(method, path, json=body or None, headers=person.headers)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    name = uuid4().hex
    project = (await call(writer, "POST", "/projects/", name=name))["project"]["id"]
    key = (await call(writer, "POST", "/credentials/", name=name, project_id=project, expiry=30))["result"]["id"]
    role = (await call(writer, "POST", "/roles", name=name, scopes=["model:view"]))["role"]["id"]
    assert (await call(reader, "GET", f"/projects/{project}"))["project"]["name"] == name
    await call(reader, "PATCH", f"/projects/{project}", name=f"{name} renamed")
    await call(reader, "PATCH", f"/roles/{role}", scopes=["model:view", "model:manage"])
    shown = await call(reader, "GET", f"/credentials/?project_id={project}")
    assert [one["id"] for one in shown["credentials"]] == [key]
    assert (await call(writer, "GET", f"/projects/{project}"))["project"]["name"] == f"{name} renamed"
    await call(reader, "DELETE", f"/roles/{role}")
    await call(reader, "DELETE", f"/credentials/{key}")
    await call(reader, "DELETE", f"/projects/{project}")
