"""Connections to PostgreSQL beside the application's, and databases that tests make and drop."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from alembic import command
from sqlalchemy import URL

from budapp.cli.migrations import ROOT, alembic_config
from budapp.commons.config import Settings
from budapp.commons.postgresql import database_url

_TEMPLATE = "migrated-"


@asynccontextmanager
async def connected(url: URL) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection within the block."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        yield connection
    finally:
        await connection.close()


async def create_database(settings: Settings, name: str, template: str = "template1") -> URL:
    """Create the database, instead of one that has the name already, and return its address."""
    async with connected(database_url(settings).set(database="postgres")) as connection:
        await _drop(connection, name)
        await connection.execute(f'create database "{name}" template "{template}"')
    return database_url(settings).set(database=name)


async def migrated_template(settings: Settings) -> str:
    """Return the name of a database as the migrations make it: a copy of it costs less than they do.

    It stays on the stack until the migrations change.
    """
    name = f"{_TEMPLATE}{_digest_of_migrations()}"
    async with connected(database_url(settings).set(database="postgres")) as connection:
        await connection.execute("select pg_advisory_lock(hashtext($1))", _TEMPLATE)  # until the end of the connection
        found = await connection.fetch("select datname from pg_database where starts_with(datname, $1)", _TEMPLATE)
        if name not in [row["datname"] for row in found]:
            for row in found:
                await _drop(connection, row["datname"])
            config = alembic_config()
            config.attributes["url"] = await create_database(settings, f"{name}-new")
            await asyncio.to_thread(command.upgrade, config, "head")
            await connection.execute(f'alter database "{name}-new" rename to "{name}"')
    return name


def _digest_of_migrations() -> str:
    files = sorted((ROOT / "alembic").rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


async def drop_database(settings: Settings, name: str) -> None:
    """Drop the database, whoever is still in it."""
    async with connected(database_url(settings).set(database="postgres")) as connection:
        await _drop(connection, name)


async def _drop(connection: asyncpg.Connection, name: str) -> None:
    """Drop the database where there is one.

    An autovacuum worker in it belongs to the superuser, so the role of the tests may not end it; it ends by itself.
    """
    async with asyncio.timeout(60):
        while True:
            try:
                await connection.execute(f'drop database if exists "{name}" with (force)')
            except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
                await asyncio.sleep(0.2)
            else:
                return
