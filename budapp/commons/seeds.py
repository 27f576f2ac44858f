"""What must be there before anyone can sign in."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from budapp.commons import advisory_locks
from budapp.commons.database import Base, Database, WriteSession, now
from budapp.commons.domain import Components

_POLL_SECONDS = 0.5


async def run_seeds(components: Components) -> None:
    """Run the seeds of all domains, in their order and as one unit of work. Safe to run again.

    Several replicas may run them at once: one does, and the others after it.
    """
    async with components[Database].write() as session:
        await _lock(session)
        for seed in (seed for domain in components.domains for seed in domain.seeds):
            await seed(session, components)


async def _lock(session: WriteSession) -> None:
    """Let one replica seed at a time, until the end of its transaction; it may be idle while Keycloak is asked."""
    await session.execute(text("set local idle_in_transaction_session_timeout = 0"))
    while True:
        if await advisory_locks.try_lock(session, "budapp:seed"):
            return
        await asyncio.sleep(_POLL_SECONDS)


async def upsert(session: WriteSession, table: type[Base], key: str, values: Mapping[str, Any]) -> None:
    """Insert a row, or update the one that has the same `key`, a unique column."""
    statement = insert(table).values(id=uuid7(), **values)
    fresh = {**values, "modified_at": now()}
    await session.execute(statement.on_conflict_do_update(index_elements=[key], set_=fresh))
