"""The rows of all tables as they once were, kept beside them, so that a test finds them so again.

Putting back costs one statement where nothing has changed, and that of the changed tables where something has; entering
the scene anew costs hundreds.
"""

import asyncpg
from sqlalchemy import Table

from budapp.commons.database import Base, Database

_SCHEMA = "copies"
_TABLES = {table.name: table for table in Base.metadata.sorted_tables}


def _mark(name: str) -> str:
    """Tell a table's rows from any later ones: each row that is new or changed has its transaction's number."""
    return f"select '{name}' as name, count(*) as rows, sum(xmin::text::bigint) as written from \"{name}\""


_MARKS = " union all ".join(map(_mark, _TABLES))


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
        self._marks: set[tuple[object, ...]] = set()

    async def take(self) -> None:
        """Keep what is in the tables now."""
        async with self._database.engine.begin() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)
            copies = (f'create unlogged table {_SCHEMA}."{name}" as table "{name}"' for name in _TABLES)
            await driver.execute(
                f"drop schema if exists {_SCHEMA} cascade; create schema {_SCHEMA}; {'; '.join(copies)}"
            )
            self._marks = await _read(driver)

    async def put_back(self) -> None:
        """Have exactly these rows in the tables again."""
        async with self._database.engine.begin() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)
            found = await _read(driver)
            changed = {str(name) for name, *_ in self._marks ^ found}
            if not changed:
                return
            statements = (_put_back(_TABLES[name]) for name in changed)
            # past foreign keys and triggers
            await driver.execute(f"set local session_replication_role = replica; {'; '.join(statements)}")
            self._marks = await _read(driver)


async def _read(driver: asyncpg.Connection) -> set[tuple[object, ...]]:
    return {tuple(record) for record in await driver.fetch(_MARKS)}
