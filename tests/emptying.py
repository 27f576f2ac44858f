"""An empty database for each test."""

from budapp.commons.database import Base, Database
from budapp.domains import TABLES
from tests.append_only import without_triggers

assert TABLES

SEEDED = {"billing_plan"}
"""Tables whose rows the migrations bring; tests leave them as they are."""


async def empty(database: Database) -> None:
    """Remove every row that a test may have left."""
    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables if table.name not in SEEDED)
    async with database.engine.begin() as connection, without_triggers(connection):
        await connection.exec_driver_sql(f"truncate {names} cascade")
