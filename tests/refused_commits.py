"""Commits that fail, after something was done outside PostgreSQL that is to be taken back then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from budapp.commons.database import Database


@asynccontextmanager
async def refusing(database: Database, table: str, change: str) -> AsyncIterator[None]:
    """Have each commit fail that holds such a change (`insert` or `update`) of the table."""
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql(
            "create or replace function refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'no'; end $$"
        )
        await connection.exec_driver_sql(
            f'create constraint trigger refuse after {change} on "{table}" '
            "deferrable initially deferred for each row execute function refuse()"
        )
    try:
        yield
    finally:
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql(f'drop trigger refuse on "{table}"')
