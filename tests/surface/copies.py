"""The rows of all tables as they once were, kept beside them, so that a test finds them so again.

Putting back costs one statement where nothing has changed, and that of the changed tables where something has; entering
the scene anew costs hundreds.
"""

import asyncpg
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from budapp.commons.database import Base, Database

_SCHEMA = "copies"


def _mark(name: str) -> str:
    """Tell a table's rows from any later ones: each row that is new or changed has its transaction's number."""
    return f"select '{name}' as name, count(*) as rows, sum(xmin::text::bigint) as written from \"{name}\""


def _put_back(table: Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)
    copy = f'{_SCHEMA}."{table.name}"'
    return (
        f'delete from "{table.name}"; '
        f'insert into "{table.name}" ({columns}) overriding system value select {columns} from {copy}'
    )


class Copies:
    """What is in the tables when `take` is called."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = {table.name: table for table in Base.metadata.sorted_tables}
        self._marks: set[tuple[object, ...]] = set()

    async def take(self) -> None:
        """Keep what is in the tables now."""
        async with self._database.engine.begin() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)
            copies = (f'create unlogged table {_SCHEMA}."{name}" as table "{name}"' for name in self._tables)
            await driver.execute(
                f"drop schema if exists {_SCHEMA} cascade; create schema {_SCHEMA}; {'; '.join(copies)}"
            )
            self._marks = await self._read(connection)

    async def put_back(self) -> bool:
        """Have exactly these rows in the tables again; tell whether there were others."""
        async with self._database.engine.begin() as connection:
            found = await self._read(connection)
            changed = {str(name) for name, *_ in self._marks ^ found}
            if not changed:
                return False
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)
            statements = (_put_back(self._tables[name]) for name in changed)
            # past foreign keys and triggers
            await driver.execute(f"set local session_replication_role = replica; {'; '.join(statements)}")
            self._marks = await self._read(connection)
            return True

    async def _read(self, connection: AsyncConnection) -> set[tuple[object, ...]]:
        marks = text(" union all ".join(map(_mark, self._tables)))  # prepared: planning it takes longest
        return set(map(tuple, await connection.execute(marks)))
