"""What the tests of the trail share."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, text

from budapp.audit.models import AuditEntry
from budapp.commons.database import Database
from tests.append_only import without_triggers


async def entries(database: Database, *conditions: Any) -> Sequence[AuditEntry]:
    """Return the trail, oldest first."""
    async with database.read() as session:
        return (await session.scalars(select(AuditEntry).where(*conditions).order_by(AuditEntry.id))).all()


async def by_hand(database: Database, statement: str, **values: Any) -> Sequence[Row[Any]]:
    """Do what somebody could who owns the tables."""
    async with database.engine.begin() as connection, without_triggers(connection):
        result = await connection.execute(text(statement), values)
        return result.all() if result.returns_rows else []
