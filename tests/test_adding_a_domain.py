"""The domain that `docs/adding-a-domain.md` adds, put into a copy of the project as it is printed there."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from budapp.commons.config import Settings
from tests.databases import create_database, drop_database, migrated_template

COPIED = ("alembic", "alembic.ini", "budapp", "deploy", "docs", "pyproject.toml", "tests")
TESTS = (
    "tests/notes",
    "tests/surface/test_shares.py",
    "tests/surface/test_access_matrix.py",
    "tests/audit/test_routes_leave_entries.py",
)
GENERATE = """
import sys
from contextlib import redirect_stdout
from pathlib import Path
from alembic import command
from budapp.cli.migrations import alembic_config
from budapp.cli.service import openapi

config = alembic_config()
command.revision(config, "notes", autogenerate=True, rev_id=sys.argv[1])
command.upgrade(config, "head")
command.check(config)
with Path("docs/openapi.json").open("w") as file, redirect_stdout(file):
    openapi()
"""
"""Writes the migration and the OpenAPI document as the page's commands do, in one process, which is faster."""

LINE = '    "note_ops",\n'
AT = '    "cloud_provider_ops | provider_ops",\n'


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs/adding-a-domain.md").read_text()


def printed(page: str) -> dict[str, str]:
    """Return the files of the page: path → content."""
    return dict(re.findall(r"^`(\S+)`[^\n]*\n\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


def files(folder: Path) -> dict[str, bytes]:
    """Return all files of the project there, with their content."""
    found = (path for name in COPIED for path in [folder / name, *(folder / name).rglob("*")])
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


@pytest.fixture
def copy(root: Path, tmp_path: Path, page: str) -> Path:
    """The project, with its compiled modules, and with the domain, but without its migration."""
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns(".*"))
        else:
            shutil.copy(root / name, tmp_path)
    for path, content in printed(page).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
        (tmp_path / path).with_name("__init__.py").touch()
    domains = tmp_path / "budapp/domains.py"
    domains.write_text(domains.read_text().replace(AT, LINE + AT))
    return tmp_path


@pytest.fixture
def environment(settings: Settings, run_id: str) -> Iterator[dict[str, str]]:
    """The environment of commands, with a database as the migrations make it."""
    name = f"domain-{run_id}"

    async def make() -> None:
        await create_database(settings, name, template=await migrated_template(settings))

    asyncio.run(make())
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    yield inherited | {"PSQL_DB_NAME": name}
    asyncio.run(drop_database(settings, name))


def run(copy: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run Python in the copy and return what it prints; it must succeed."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def next_revision(folder: Path) -> str:
    texts = "\n".join(map(Path.read_text, versions(folder)))
    last = max(re.findall(r'^revision: str = "(\d+)"', texts, re.MULTILINE))
    return f"{int(last) + 1:04}"


def versions(folder: Path) -> list[Path]:
    return sorted((folder / "alembic/versions").glob("*.py"))


def test_the_domain_of_the_page_works_and_touches_nothing_else(
    root: Path, copy: Path, environment: dict[str, str], page: str
) -> None:
    assert f"+{LINE}" in page
    run(copy, environment, "-c", GENERATE, next_revision(root))
    for command in ("format alembic", "check budapp tests/notes", "format --check budapp tests/notes"):
        run(copy, environment, "-m", "ruff", *command.split())
    run(copy, environment, "-m", "tests.architecture.contracts")
    run(copy, environment, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-k", "notes or note_ops", *TESTS)
    assert '"/projects/{project_id}/notes"' in (copy / "docs/openapi.json").read_text()
    assert touched(root, copy) == sorted([*expected(page), versions_added(root, copy)])


def expected(page: str) -> set[str]:
    folders = {str(Path(path).parent) for path in printed(page)}
    return {*printed(page), *(f"{folder}/__init__.py" for folder in folders), "budapp/domains.py", "docs/openapi.json"}


def versions_added(root: Path, copy: Path) -> str:
    (added,) = {path.name for path in versions(copy)} - {path.name for path in versions(root)}
    return f"alembic/versions/{added}"


def touched(root: Path, copy: Path) -> list[str]:
    before, after = files(root), files(copy)
    names = before.keys() | after.keys()
    relevant = {name for name in names if "__pycache__" not in name and not Path(name).name.startswith(".")}
    return sorted(name for name in relevant if before.get(name) != after.get(name))
