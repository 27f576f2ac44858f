"""The statements about the former service's database, which is read as it was at one moment, and never written."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from budapp.commons.errors import BadRequest, Unavailable
from budapp.legacy_ops.declarations import UNREADABLE, Move

REVISION = "a1c2e3f4b5d6"
_SCHEMES = ("postgresql", "postgres")

Record = dict[str, Any]


class OldClient(NamedTuple):
    """A realm's client: Keycloak's own id of it, and what it is called."""

    realm: str
    id: str
    name: str


class OldDatabase:
    """One look at the former service's database."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def pages(self, move: Move, size: int) -> AsyncIterator[list[Record]]:
        """Yield the rows that the move is about, at most so many in a page.

        An order of its own costs sorting; by the key alone there is an index.
        """
        columns = ", ".join(["t.*", *(f"{sql} as {name}" for name, sql in move.extra.items())])
        order = ", ".join([*([move.order] if move.order else []), *(f"t.{name}" for name in move.key)])
        rows = f'public."{move.source}" t {move.joins}'
        cursor = await self._connection.cursor(f"select {columns} from {rows} order by {order}")  # noqa: S608
        while page := await cursor.fetch(size):
            yield [dict(row) for row in page]

    async def count(self, table: str) -> int:
        """Return how many rows the table has."""
        found: int = await self._connection.fetchval(f'select count(*) from public."{table}"')  # noqa: S608
        return found

    async def realms(self) -> list[str]:
        """Return the realms of the tenants."""
        return [row[0] for row in await self._connection.fetch("select realm_name from public.tenant order by 1")]

    async def clients(self) -> list[OldClient]:
        """Return the clients that people sign in through, one of each realm."""
        found = await self._connection.fetch(
            "select distinct on (t.realm_name) t.realm_name, c.client_id, c.client_named_id from public.tenant t"
            " join public.tenant_clients c on c.tenant_id = t.id order by t.realm_name, c.created_at, c.id"
        )
        return [OldClient(*row) for row in found]

    async def check(self, tables: Sequence[str]) -> None:
        """Refuse a database that is not the former service's, or not at the revision that is known here.

        Raises:
            BadRequest: it is not.
        """
        names = {
            row[0]
            for row in await self._connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        }
        if "alembic_version" not in names or "tenant" not in names:
            raise BadRequest("LEGACY_DATABASE_URL: this is not the former service's database: it has no such tables")
        found = await self._connection.fetchval("select version_num from public.alembic_version")
        if found != REVISION:
            raise BadRequest(
                f"LEGACY_DATABASE_URL: the database is at revision {found}, and {REVISION} is what can be read; "
                "bring the former service to its last release first"
            )
        missing = sorted(set(tables) - names)
        if missing:
            raise BadRequest(f"LEGACY_DATABASE_URL: the database has no table {', '.join(missing)}")


@asynccontextmanager
async def open_old(url: str, realm: str) -> AsyncIterator[OldDatabase]:
    """Open the database read-only; all that is read is as it was at that moment.

    Args:
        url: its address, `postgresql://user:password@host:port/name`.
        realm: the realm of the platform's own tenant; statements find it as the setting `legacy.realm`.

    Raises:
        BadRequest: this is no address, or it refuses us.
        Unavailable: it can't be reached.
    """
    if urlsplit(url).scheme not in _SCHEMES:
        raise BadRequest("LEGACY_DATABASE_URL must be postgresql://user:password@host:port/name")
    connection = await _connect(url)
    try:
        await connection.set_type_codec("json", encoder=json.dumps, decoder=_loads, schema="pg_catalog")
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=_loads, schema="pg_catalog")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("select set_config('legacy.realm', $1, true)", realm)
            yield OldDatabase(connection)
    finally:
        await connection.close()


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (RecursionError, ValueError):  # nested too deeply, or a number of more digits than Python reads
        return UNREADABLE


async def _connect(url: str) -> asyncpg.Connection:
    settings = {
        "application_name": "budapp upgrade-from-legacy",
        "default_transaction_read_only": "on",
        "idle_in_transaction_session_timeout": "0",
    }
    try:
        return await asyncpg.connect(url, server_settings=settings, timeout=10, command_timeout=300)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise BadRequest(f"LEGACY_DATABASE_URL: {str(error) or type(error).__name__}") from None
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"LEGACY_DATABASE_URL: the database can't be reached: {str(error) or 'no answer'}") from None
