"""Runs the migrations, one process at a time."""

import asyncio

from alembic import context
from sqlalchemy import Connection, func, pool, select
from sqlalchemy.ext.asyncio import create_async_engine

from budapp.commons.advisory_locks import key_of
from budapp.commons.config import get_settings
from budapp.commons.database import Base, database_url
from budapp.domains import TABLES

assert TABLES


def migrate(connection: Connection) -> None:
    """Migrate under a lock that other replicas wait for; it goes with the connection."""
    connection.execute(select(func.pg_advisory_lock(key_of("budapp:migrate"))))
    connection.commit()
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def run() -> None:
    """Connect and migrate."""
    url = context.config.attributes.get("url") or database_url(get_settings())
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(run())
