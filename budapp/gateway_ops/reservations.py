"""Room in somebody's quota: taken before a model is asked, settled once it has answered.

For what budapp passes on itself; the gateway does so for what it passes on. Both count in `usage_limit:<user>`.
Parallel calls, on however many replicas, never take more than there is.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError
from uuid_utils.compat import uuid4

from budapp.billing_ops.schemas import UsageLimit
from budapp.commons.database import Database, now
from budapp.commons.errors import TooManyRequests, Unavailable
from budapp.commons.logging import get_logger
from budapp.gateway_changes import services as changes
from budapp.gateway_ops import entries
from budapp.gateway_ops.limits import UsageLimits
from budapp.gateway_ops.store import GatewayStore

logger = get_logger(__name__)

LASTS_SECONDS = 900
"""After so long without being settled, as when a replica was killed, a reservation is given back."""

_ANSWER_TOKENS = 1024
"""What an answer is taken to cost where the request sets no limit."""

_TAKE = """
local entry = redis.call('GET', KEYS[1])
if not entry then return -1 end
local limit = cjson.decode(entry)
if not limit.allowed then return 0 end
if limit.status ~= 'allowed' or limit.tokens_quota == cjson.null then return 1 end
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', time[1])
local taken = 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  taken = taken + tonumber(string.match(member, ':(%d+)$'))
end
if limit.tokens_used + taken + tonumber(ARGV[2]) > limit.tokens_quota then return 0 end
redis.call('ZADD', KEYS[2], time[1] + ARGV[3], ARGV[1] .. ':' .. ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
"""Returns 1 where there is room, 0 where there is none, and -1 where nothing is known of the user."""

_SETTLE = """
redis.call('ZREM', KEYS[2], ARGV[1] .. ':' .. ARGV[2])
local entry = redis.call('GET', KEYS[1])
if not entry or tonumber(ARGV[3]) == 0 then return end
local limit = cjson.decode(entry)
limit.tokens_used = limit.tokens_used + tonumber(ARGV[3])
if limit.status == 'allowed' and limit.tokens_quota ~= cjson.null and limit.tokens_used >= limit.tokens_quota then
  limit.allowed = false
  limit.status = 'token_limit_exceeded'
  limit.reason = ARGV[4]
end
redis.call('SET', KEYS[1], cjson.encode(limit), 'KEEPTTL')
"""

_USED_UP = "The tokens of this cycle are used up"
_TOO_LITTLE = "The tokens that are left in this cycle do not suffice for this request; ask for fewer"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room that was taken for one call."""

    id: str
    user_id: UUID
    tokens: int


class Reservations:
    """The reservations of all replicas, in Valkey."""

    def __init__(self, valkey: Redis, database: Database) -> None:
        self._database = database
        self._store = GatewayStore(valkey)
        self._limits = UsageLimits(database, self._store)
        self._take = valkey.register_script(_TAKE)
        self._settle = valkey.register_script(_SETTLE)

    async def take(self, user_id: UUID, tokens: int) -> Reservation:
        """Take room for so many tokens.

        Raises:
            TooManyRequests: the user's plan has less left, or they are suspended; says why.
            Unavailable: Valkey is down.
        """
        wanted = Reservation(uuid4().hex, user_id, max(1, tokens))
        try:
            found = await self._ask(wanted)
            if found < 0:
                await self.renew(user_id)
                found = await self._ask(wanted)
            if found == 0:
                raise await self._refusal(user_id)
        except (RedisError, OSError) as error:
            raise Unavailable from error
        return wanted

    async def settle(self, reservation: Reservation, used: int) -> None:
        """Give the room back, and count what was really used of it."""
        names, about = _names(reservation.user_id), (reservation.id, reservation.tokens)
        try:
            await self._settle(names, [*about, used, _USED_UP])
        except (RedisError, OSError) as error:
            logger.warning("reservation_not_settled", tokens=used, reason=repr(error))

    async def _ask(self, wanted: Reservation) -> int:
        return int(await self._take(_names(wanted.user_id), [wanted.id, wanted.tokens, LASTS_SECONDS]))

    async def renew(self, user_id: UUID) -> None:
        """Have the entry say what is known now."""
        async with self._database.write() as session:
            version = await changes.next_version(session)
        await self._limits.renew([user_id], version)

    async def _refusal(self, user_id: UUID) -> TooManyRequests:
        name = entries.usage_limit(user_id)
        entry = (await self._store.read([name])).get(name)
        limit = UsageLimit.model_validate_json(entry.value) if entry is not None else None
        reason = limit.reason if limit is not None and limit.reason else _TOO_LITTLE
        return TooManyRequests(_seconds_until(limit.reset_at if limit else None), reason)


def _names(user_id: UUID) -> list[str]:
    return [entries.usage_limit(user_id), f"budapp:reserved:{user_id}"]


def _seconds_until(moment: datetime | None) -> int:
    return max(1, math.ceil((moment - now()).total_seconds())) if moment is not None else 60


def estimate(messages: Any, most: int | None) -> int:
    """Return how many tokens a chat may cost: those of its text, four characters each, and those of the answer."""
    return math.ceil(len(str(messages)) / 4) + (most if most is not None else _ANSWER_TOKENS)
