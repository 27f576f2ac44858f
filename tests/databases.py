"""Connections to PostgreSQL beside the application's, and databases that tests make and drop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import URL

from budapp.commons.config import Settings
from budapp.commons.postgresql import database_url


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
