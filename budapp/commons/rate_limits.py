"""How often something may be tried, counted in Valkey for all replicas together."""

import time

from limits import parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from budapp.commons.errors import TooManyRequests, Unavailable


class RateLimiter:
    """Sliding windows; fails closed when Valkey is down."""

    def __init__(self, valkey: Redis) -> None:
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="rate_limit",
            wrap_exceptions=True,
            connection_pool=valkey.connection_pool,  # type: ignore[arg-type]  # documented, but not in the stub
        )
        self._limiter = MovingWindowRateLimiter(storage)

    async def hit(self, limit: str, path: str, who: str) -> None:
        """Count one try.

        Args:
            limit: such as `10/minute`.
            path: what is tried, part of the key.
            who: an address or an account, part of the key.

        Raises:
            TooManyRequests: the limit is reached; says when to come back.
            Unavailable: Valkey is down.
        """
        item = parse(limit)
        try:
            if await self._limiter.hit(item, path, who):
                return
            window = await self._limiter.get_window_stats(item, path, who)
        except (StorageError, RedisError, OSError) as error:
            raise Unavailable from error
        raise TooManyRequests(max(1, round(window.reset_time - time.time())))
