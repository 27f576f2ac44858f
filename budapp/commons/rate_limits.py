"""How often something may be tried, counted in Valkey for all replicas together."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from limits import parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from budapp.commons.errors import TooManyRequests, Unavailable

REFUSALS = Counter("budapp_limit_refusals", "Tries that a limit has refused", ["limit"])

_BEGIN = """
local pause = 0
for i = 1, #KEYS, 2 do pause = math.max(pause, redis.call('PTTL', KEYS[i + 1])) end
if pause > 0 then return pause end
for i = 1, #KEYS, 2 do
  local failures = redis.call('INCR', KEYS[i])
  redis.call('PEXPIRE', KEYS[i], ARGV[3])
  local beyond = failures - tonumber(ARGV[3 + (i + 1) / 2])
  if beyond > 0 then
    local milliseconds = math.floor(math.min(tonumber(ARGV[1]) * 2 ^ (beyond - 1), tonumber(ARGV[2])))
    redis.call('SET', KEYS[i + 1], 1, 'PX', milliseconds)
  end
end
return 0
"""
"""Counts a try of each of several keys as failed, unless one of them has to pause; returns for how long."""


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
        await self._ask(limit, path, who, counting=True)

    async def check(self, limit: str, path: str, who: str) -> None:
        """Raise what `hit` would, but count nothing."""
        await self._ask(limit, path, who, counting=False)

    async def _ask(self, limit: str, path: str, who: str, *, counting: bool) -> None:
        item = parse(limit)
        ask = self._limiter.hit if counting else self._limiter.test
        try:
            if await ask(item, path, who):
                return
            window = await self._limiter.get_window_stats(item, path, who)
        except (StorageError, RedisError, OSError) as error:
            raise Unavailable from error
        REFUSALS.labels("address" if path.startswith("/") else path).inc()  # one for all routes
        raise TooManyRequests(max(1, round(window.reset_time - time.time())))


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long the pauses after failures are: the first one, then each twice the one before, up to the longest.

    All is forgotten once nothing has failed for `forgotten_after`. All of it in seconds.
    """

    first: float
    longest: float
    forgotten_after: float


class FailureLimiter:
    """Has whoever fails again and again wait, longer each time; fails closed when Valkey is down."""

    def __init__(self, valkey: Redis, pauses: Pauses) -> None:
        self._valkey = valkey
        self._pauses = pauses
        self._begin = valkey.register_script(_BEGIN)

    async def begin(self, free: Mapping[str, int]) -> None:
        """Count a try as failed until `take_back`, so that parallel ones count too.

        Args:
            free: key → how many failures in a row cost no pause.

        Raises:
            TooManyRequests: there is a pause; says how long it still is. Nothing was counted.
            Unavailable: Valkey is down.
        """
        keys = [name for key in free for name in _names(key)]
        seconds = (self._pauses.first, self._pauses.longest, self._pauses.forgotten_after)
        try:
            pause = await self._begin(keys, [*(int(each * 1000) for each in seconds), *free.values()])
        except (RedisError, OSError) as error:
            raise Unavailable from error
        if pause > 0:
            REFUSALS.labels("failures").inc()
            raise TooManyRequests(max(1, -(-pause // 1000)))

    async def take_back(self, counted: Iterable[str], *, forget: str | None = None) -> None:
        """Count the last try as not failed, and forget all failures of one of its keys.

        Raises:
            Unavailable: Valkey is down.
        """
        try:
            async with self._valkey.pipeline() as pipeline:
                for failures, pause in map(_names, counted):
                    pipeline.decr(failures)
                    pipeline.delete(pause)
                if forget is not None:
                    pipeline.delete(*_names(forget))
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable from error


def _names(key: str) -> tuple[str, str]:
    return f"failures:{key}", f"pause:{key}"
