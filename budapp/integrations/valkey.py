"""Valkey: what many replicas share for a short while. All of it can be lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from budapp.commons.config import Settings
from budapp.commons.outages import VALKEY, outages


@contextmanager
def _closed_is_lost() -> Iterator[None]:
    """Turn what uvloop raises where a closed connection is used into the error that the client library tries again."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionLost(f"The connection is closed: {error}") from error


class _PlainConnection(Connection):
    __slots__ = ()

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        with _closed_is_lost():
            await super().send_packed_command(*args, **options)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        with _closed_is_lost():
            answer = await super().read_response(*args, **options)
        outages.answered(VALKEY)
        return answer


class _TlsConnection(_PlainConnection, SSLConnection):
    __slots__ = ()


def connect_valkey(settings: Settings) -> Redis:
    """Return a client with a pool; it connects at the first command.

    A lost connection is a `RedisError` or an `OSError`, whatever the event loop; a command is tried once more on it.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        settings.tensorzero_redis_url.get_secret_value(),
        socket_timeout=settings.valkey_timeout_seconds,
        socket_connect_timeout=settings.valkey_timeout_seconds,
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
    )
    pool.connection_class = _TlsConnection if issubclass(pool.connection_class, SSLConnection) else _PlainConnection
    return Redis.from_pool(pool)


async def valkey_up(valkey: Redis) -> bool:
    """Tell whether Valkey answers."""
    try:
        return bool(await valkey.ping())
    except (RedisError, OSError):
        return False
