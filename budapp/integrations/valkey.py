"""Valkey: what many replicas share for a short while. All of it can be lost."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from budapp.commons.config import Settings


def connect_valkey(settings: Settings) -> Redis:
    """Return a client with a pool; it connects at the first command."""
    return Redis.from_url(
        settings.tensorzero_redis_url.get_secret_value(),
        socket_timeout=settings.valkey_timeout_seconds,
        socket_connect_timeout=settings.valkey_timeout_seconds,
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
    )


async def valkey_up(valkey: Redis) -> bool:
    """Tell whether Valkey answers."""
    try:
        return bool(await valkey.ping())
    except (RedisError, OSError):
        return False
