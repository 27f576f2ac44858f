"""Past the triggers that keep the audit trail append-only, as the owner of the tables can go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

_TABLES = ("audit_trail", "audit_seal", "audit_checkpoint")


@asynccontextmanager
async def without_triggers(connection: AsyncConnection) -> AsyncIterator[None]:
    """Keep the triggers from firing in the transaction."""
    for state in ("disable", "enable"):
        for table in _TABLES:
            await connection.exec_driver_sql(f"alter table {table} {state} trigger user")
        if state == "disable":
            yield
