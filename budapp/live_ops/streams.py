"""The events of the last hour and a bit: a stream in Valkey for each tenant, the same for all replicas.

What is lost with Valkey is not told again; clients notice, as the ids that they know are no longer there.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from budapp.commons.outages import VALKEY, unavailable
from budapp.live_ops.schemas import TICK, Audience, EntryId, Event

KEPT_SECONDS = 75 * 60
"""An hour, and as long as the newest id of a stream may be old, and some."""
TICK_SECONDS = 5 * 60
BLOCK_SECONDS = 0.25
AT_ONCE = 500

_APPEND = """
local time = redis.call('TIME')
local horizon = string.format('%.0f', time[1] * 1000 - ARGV[2])
if redis.call('ZADD', KEYS[2], 'NX', time[1] * 1000, ARGV[1]) == 0 then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', horizon)
redis.call('XADD', KEYS[1], 'MINID', '~', horizon, '*', unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2])
redis.call('PEXPIRE', KEYS[2], 2 * ARGV[2])
return 1
"""
"""Puts an entry in, unless it was put in before: who tells an event may die before they have noted that they did."""

_OPEN = """
local time = redis.call('TIME')
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local milliseconds = last[1] and tonumber(string.match(last[1][1], '^%d+')) or 0
if milliseconds < time[1] * 1000 - ARGV[2] then
  redis.call('XADD', KEYS[1], 'MINID', '~', string.format('%.0f', time[1] * 1000 - ARGV[1]), '*', 't', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], 2 * ARGV[1])
  last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
end
return {redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1], last[1][1]}
"""


class EventStreams:
    """The streams in Valkey."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey

    async def append(self, rows: Sequence[Any]) -> None:
        """Put rows of `live_event` into the streams of their tenants, each once.

        Raises:
            RedisError, OSError: Valkey does not answer; some of them may be in.
        """
        async with self._valkey.pipeline(transaction=False) as pipeline:
            for row in rows:
                keys = (_key(row.stream), f"{_key(row.stream)}:seen")
                pipeline.eval(_APPEND, 2, *keys, str(row.id), KEPT_SECONDS * 1000, *_fields(row))
            await pipeline.execute()

    async def open(self, tenant_id: UUID) -> tuple[EntryId, EntryId]:
        """Return the oldest and the newest id in the stream; the newest is no older than `TICK_SECONDS`.

        Raises:
            Unavailable: Valkey does not answer.
        """
        try:
            first, last = await self._valkey.eval(
                _OPEN, 1, _key(tenant_id), KEPT_SECONDS * 1000, TICK_SECONDS * 1000, TICK
            )
        except (RedisError, OSError) as error:
            raise unavailable(VALKEY, "Live events are not available now; try again later", error) from error
        return _id(first), _id(last)

    async def between(self, tenant_id: UUID, after: EntryId, until: EntryId) -> list[Event]:
        """Return the first events after the one id, and up to the other; an empty list where there are none left.

        Raises:
            RedisError, OSError: Valkey does not answer.
        """
        found: Any = await self._valkey.xrange(_key(tenant_id), f"({after}", str(until), count=AT_ONCE)
        return [_event(entry, fields) for entry, fields in found]

    async def read(self, positions: Mapping[UUID, EntryId]) -> dict[UUID, list[Event]]:
        """Wait a moment for what comes after these positions.

        Raises:
            RedisError, OSError: Valkey does not answer.
        """
        tenants = {_key(tenant_id): tenant_id for tenant_id in positions}
        wanted: dict[Any, Any] = {_key(tenant_id): str(position) for tenant_id, position in positions.items()}
        found: Any = await self._valkey.xread(wanted, count=AT_ONCE, block=round(BLOCK_SECONDS * 1000))
        entries = found.items() if isinstance(found, dict) else found or ()
        return {tenants[key]: [_event(entry, fields) for entry, fields in some] for key, some in entries}


def _key(tenant_id: UUID) -> str:
    return f"budapp:events:{{{tenant_id}}}"


def _fields(row: Any) -> tuple[str, ...]:
    shown = {
        "type": row.type,
        "time": row.created_at.isoformat(),
        "object": {"type": row.object_type, "id": str(row.object_id)},
        "data": row.data,
    }
    told = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return ("t", row.type, "o", str(row.object_id), "a", json.dumps(row.audience), "d", told)


def _event(id: str, fields: Mapping[str, str]) -> Event:
    type = fields["t"]
    frame = f"id: {id}\nevent: {type}\ndata: {fields.get('d', '')}\n\n".encode()
    return Event(_id(id), type, fields.get("o", ""), Audience.of(json.loads(fields.get("a", "{}"))), frame)


def _id(text: str) -> EntryId:
    milliseconds, number = text.split("-")
    return EntryId(int(milliseconds), int(number))
