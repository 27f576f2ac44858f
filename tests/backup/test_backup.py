"""docs/backup-and-restore.md: its commands bring back everything, and its checks find what is missing."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis

from budapp.audit.hash_chain import seal
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.dataset_ops.checking import Checking
from budapp.main import create_app
from tests.api_keys.data import make_key
from tests.cast import PASSWORD, Cast
from tests.command_line import budapp
from tests.databases import drop_database
from tests.datasets.conftest import checking, project_id, version
from tests.datasets.data import CSV, put
from tests.gateway.conftest import own_settings, valkey
from tests.replicas import differences
from tests.stack import http_client

__all__ = ["checking", "own_settings", "project_id", "valkey", "version"]

PAGE = "docs/backup-and-restore.md"
BUCKETS = "models-registry model-info datasets"
OTHER_KEYS = "other:" + "A" * 43 + "="


@dataclass
class Shell:
    """Runs the page's commands, for these settings."""

    settings: Settings
    backup: Path

    async def run(self, script: str) -> str:
        """Return what a script prints; it fails with its first command that does.

        budapp's own commands come last on the page, and run in this process: starting another takes seconds.
        """
        lines = script.splitlines(keepends=True)
        own = [line for line in lines if line.startswith("budapp ") and "migrate" not in line]
        printed = await asyncio.to_thread(self._run, "".join(line for line in lines if line not in own))
        for line in own:
            finished = await budapp(self.settings, *line.split()[1:])
            assert finished.status == 0, finished.stdout + finished.stderr
            printed += finished.stdout
        return printed

    def _run(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        programs = [Path(os.environ["RCLONE"]).parent, os.environ["POSTGRES_BIN"], Path(".venv/bin").resolve()]
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        named = {"PATH": path, "BACKUP": str(self.backup), **differences(self.settings)}
        for name in ("psql_host", "psql_port", "psql_user", "psql_password", "psql_db_name"):
            named[name.upper()] = _text(getattr(self.settings, name))
        for name in ("minio_endpoint", "minio_access_key", "minio_secret_key"):
            named[name.upper()] = _text(getattr(self.settings, name))
        machine = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }  # rclone reads them
        return machine | named


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


@pytest.fixture
def blocks(root: Path) -> list[str]:
    """The page's commands: those that name the stores, back up, restore and check."""
    return re.findall(r"```bash\n(.*?)```", (root / PAGE).read_text(), re.DOTALL)


@pytest.fixture
async def restored(settings: Settings, own_settings: Settings) -> AsyncIterator[Settings]:
    """The settings of what is restored: stores that are not there yet."""
    name = f"restored-{uuid4().hex[:8]}"
    own = {"psql_db_name": name, "minio_dataset_bucket": f"{name}-datasets"}
    yield own_settings.model_copy(update=own)
    await drop_database(settings, name)


async def test_everything_comes_back(
    client: httpx.AsyncClient,
    database: Database,
    cast: Cast,
    checking: Checking,
    version: str,
    project_id: str,
    settings: Settings,
    restored: Settings,
    valkey: Redis,
    blocks: list[str],
    tmp_path: Path,
) -> None:
    await put(client, cast.manager, version)
    await checking.check()
    key = await make_key(client, cast.manager, project_id)
    await seal(database)
    tenant_files = f"datasets/{cast.manager.tenant_id}"
    name_stores, back_up, restore, check = (block.replace(BUCKETS, tenant_files) for block in blocks)
    await Shell(settings, tmp_path).run(name_stores + back_up)
    assert any((tmp_path / "files" / tenant_files).rglob("*"))

    shell = Shell(restored, tmp_path)
    elsewhere = restore.replace('"store:$name"', f'"store:{restored.psql_db_name}-$name"')
    await shell.run(name_stores + elsewhere)
    said = await shell.run(check)
    assert "entries as they were written" in said
    assert "missing" not in said
    assert await valkey.keys("api_key:*"), "the gateway's tables are there again"
    without_key = restored.model_copy(update={"encryption_keys": SecretStr(OTHER_KEYS)})
    assert "missing from ENCRYPTION_KEYS" in await Shell(without_key, tmp_path).run("budapp keys status\n")

    app = create_app(restored)
    try:
        await _is_as_before(app, cast, key["id"], version)
    finally:
        await components_of(app).close()
        await shell.run(f'{name_stores}rclone purge "store:{restored.minio_dataset_bucket}"\n')


async def _is_as_before(app: FastAPI, cast: Cast, key_id: str, version: str) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://restored") as http:
        account = {"email": cast.manager.email, "password": PASSWORD}
        signed_in = await http.post("/auth/login", json=account)
        assert signed_in.status_code == 200, signed_in.text
        http.headers["Authorization"] = f"Bearer {signed_in.json()['token']['access_token']}"
        projects = (await http.get("/projects/")).json()["projects"]
        assert [one["project"]["name"] for one in projects] == ["Atlas"]
        keys = (await http.get("/credentials/")).json()
        assert key_id in str(keys)
        url = (await http.get(f"{version}/files/train/download")).json()["url"]
    async with http_client() as browser:
        assert (await browser.get(url)).content == CSV
