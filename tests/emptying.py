"""An empty database for each test."""

import asyncpg

from budapp.commons.database import Base, Database
from budapp.domains import TABLES

assert TABLES

SEEDED = {"billing_plan"}
"""Tables whose rows the migrations bring; tests leave them as they are."""


_NAMES = [f'"{table.name}"' for table in Base.metadata.sorted_tables if table.name not in SEEDED]
_EMPTY = "; ".join(f"delete from {name}" for name in _NAMES)


async def empty(database: Database) -> None:
    """Remove every row that a test may have left.

    Most tables are empty already, for which `delete` is ten times as fast as `truncate`.
    """
    async with database.engine.begin() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, asyncpg.Connection)
        await driver.execute(f"set local session_replication_role = replica; {_EMPTY}")  # past foreign keys, triggers
