"""Reads that go past SQLAlchemy: a select that is only text by now is sent by asyncpg, over connections of its own.

Sending a statement through a session costs more than PostgreSQL takes to answer a short one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import orjson
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from budapp.commons.outages import POSTGRESQL, outages, timed

_STATEMENTS_A_CONNECTION = 100
_LONGEST_STATEMENT = 64 * 1024
_RELEASE_SECONDS = 2
"""How long a statement that was given up may take to end; then its connection is closed."""


class Record(asyncpg.Record):  # type: ignore[misc]  # asyncpg has no types
    """A row whose columns are attributes, as those of SQLAlchemy's rows."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def _mapping(self) -> dict[str, Any]:
        return dict(self.items())


class ReadPool:
    """Connections that PostgreSQL itself holds read-only, opened as they are needed.

    Args:
        url: the database.
        size: how many connections there are at most.
        arguments: what each is opened with; whoever waits for a free one waits no longer than for a new one.
        limits: settings that hold for each statement, in a transaction of its own that only reads. None where they are
            among the arguments: then no transaction is needed.
    """

    def __init__(
        self, url: URL, size: int, arguments: Mapping[str, Any], limits: Mapping[str, str] | None = None
    ) -> None:
        self._url = url
        self._size = size
        self._arguments = {"statement_cache_size": _STATEMENTS_A_CONNECTION, **arguments}
        self._begin = None if limits is None else _begin_with(limits)
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self.waiting = 0
        """How many wait for a connection now."""

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Record]:
        """Return the rows, each statement on its own.

        Raises:
            DBAPIError: PostgreSQL refused, as a session would raise it.
            OSError: it cannot be reached, or no connection is free in time.
        """
        pool = self._pool or await self._open()
        connection = await self._acquire(pool)
        try:
            with timed(POSTGRESQL):
                rows = await self._send(connection, sql, parameters)
        finally:
            with suppress(TimeoutError):
                await pool.release(connection, timeout=_RELEASE_SECONDS)
        outages.answered(POSTGRESQL)
        return rows

    async def _acquire(self, pool: asyncpg.Pool) -> asyncpg.Connection:
        self.waiting += 1
        try:
            async with asyncio.timeout(self._arguments["timeout"]):
                return await pool.acquire()
        finally:
            self.waiting -= 1

    async def _send(self, connection: asyncpg.Connection, sql: str, parameters: Sequence[Any]) -> Sequence[Record]:
        try:
            if self._begin:
                await connection.execute(self._begin)
            rows: Sequence[Record] = await connection.fetch(sql, *parameters)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DBAPIError(sql, None, error, hide_parameters=True) from error
        return rows

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections are in use, and how many are idle."""
        if self._pool is None:
            return 0, 0
        idle: int = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            self._pool = self._pool or await asyncpg.create_pool(
                self._url.set(drivername="postgresql").render_as_string(hide_password=False),
                min_size=0,
                max_size=self._size,
                init=_read_json,
                reset=_roll_back if self._begin else _leave_as_it_is,
                record_class=Record,
                max_cacheable_statement_size=_LONGEST_STATEMENT,
                **self._arguments,
            )
        return self._pool

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.close()


async def _read_json(connection: asyncpg.Connection) -> None:
    """Read JSON into objects; parameters are JSON as text, as SQLAlchemy's dialect has it."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=str, decoder=orjson.loads, schema="pg_catalog")


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Spare the round trip that clears a connection: a select that is sent alone leaves nothing behind."""


def _begin_with(limits: Mapping[str, str]) -> str:
    """Return what begins a transaction that only reads, in one round trip."""
    return "; ".join(["begin read only", *(f"set local {name} = {value}" for name, value in limits.items())])


async def _roll_back(connection: asyncpg.Connection) -> None:
    """End the transaction that one select was sent in."""
    if connection.is_in_transaction():
        await connection.execute("rollback")
