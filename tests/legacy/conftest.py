from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Database
from tests.command_line import Finished, budapp
from tests.databases import connected, create_database, drop_database
from tests.legacy.generating import fill, load_schema, prepare
from tests.legacy.old_secrets import AES_KEY_HEX, PASSPHRASE, write_private_key
from tests.legacy.values import REALM

ROWS = 4
"""In every table; one of each kind of number, and few enough to be quick."""

Run = Callable[..., Awaitable[Finished]]


@pytest.fixture(scope="session")
async def filled(settings: Settings, run_id: str) -> AsyncIterator[str]:
    """The name of a database of the former service, to make copies of."""
    name = f"legacy-filled-{run_id}"
    async with connected(await create_database(settings, name)) as connection:
        await load_schema(connection)
        await fill(connection, ROWS)
    yield name
    await drop_database(settings, name)


@pytest.fixture
async def old_url(settings: Settings, run_id: str, filled: str) -> AsyncIterator[str]:
    """The address of the test's own database of the former service."""
    name = f"legacy-{run_id}-{uuid7().hex[-6:]}"
    url = await create_database(settings, name, template=filled)
    yield url.set(drivername="postgresql").render_as_string(hide_password=False)
    await drop_database(settings, name)


@pytest.fixture
async def old(old_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to it that may write, past all constraints but the unique ones."""
    async with connected(make_url(old_url)) as connection:
        await prepare(connection)
        yield connection


@pytest.fixture(scope="session")
def private_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_private_key(tmp_path_factory.mktemp("legacy") / "key.pem")


@pytest.fixture
def run(
    settings: Settings, database: Database, old_url: str, private_key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs `budapp upgrade-from-legacy`, with all keys."""
    monkeypatch.setenv("LEGACY_DATABASE_URL", old_url)
    monkeypatch.setenv("LEGACY_PRIVATE_KEY_PATH", str(private_key_file))
    monkeypatch.setenv("LEGACY_PRIVATE_KEY_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("LEGACY_AES_KEY_HEX", AES_KEY_HEX)

    async def upgrade(*arguments: str) -> Finished:
        return await budapp(settings, "upgrade-from-legacy", "--realm", REALM, *arguments)

    return upgrade
