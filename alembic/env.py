"""Runs the migrations, one process at a time."""

import asyncio

from alembic import context
from sqlalchemy import Connection, func, pool, select
from sqlalchemy.ext.asyncio import create_async_engine

from budapp.commons.advisory_locks import key_of
from budapp.commons.config import get_settings
from budapp.commons.database import Base
from budapp.commons.postgresql import database_url, driver_arguments, engine_arguments
from budapp.domains import TABLES

assert TABLES


def migrate(connection: Connection) -> None:
    """Migrate in one transaction, under a lock that other replicas wait for."""
    with connection.begin():
        connection.execute(select(func.pg_advisory_xact_lock(key_of("budapp:migrate"))))
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()


async def run() -> None:
    """Connect and migrate."""
    settings = get_settings()
    url = context.config.attributes.get("url") or database_url(settings)
    arguments = driver_arguments(settings) | engine_arguments(settings)
    engine = create_async_engine(url, poolclass=pool.NullPool, connect_args=arguments)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(run())
