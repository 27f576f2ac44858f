"""Rows that come with the service."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from budapp.commons.database import Base, WriteSession, now


async def upsert(session: WriteSession, table: type[Base], key: str, values: Mapping[str, Any]) -> None:
    """Put a row in, or bring the one that has the same `key`, a unique column, up to date."""
    statement = insert(table).values(id=uuid7(), **values)
    fresh = {**values, "modified_at": now()}
    await session.execute(statement.on_conflict_do_update(index_elements=[key], set_=fresh))
