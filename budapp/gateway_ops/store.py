"""The gateway's side: entries in Valkey, each with the version of what it was worked out from.

A write with a lower version than the entry's is dropped, also where the entry has been deleted since: versions lie
beside the entries, in one hash.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from budapp.gateway_ops.entries import Entry

VERSIONS = "budapp:gateway:versions"
BUILT = "budapp:gateway:built"
"""Says that the tables are there, and by which version they were last gone through."""

_AT_ONCE = 200
_CLEARED_SECONDS = 10
_TABLES = ("api_key:*", "model_table:*", "guardrail_table:*")
_WRITE = """
local known = tonumber(redis.call('HGET', KEYS[2], KEYS[1]) or '0')
if known > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[2], KEYS[1], ARGV[1])
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
local ends = tonumber(ARGV[3])
if redis.call('GET', KEYS[1]) == ARGV[2] and redis.call('PEXPIRETIME', KEYS[1]) == ends then return 0 end
if ends > 0 then redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ends) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1
"""


class GatewayStore:
    """The gateway's tables in Valkey."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey

    async def write(self, version: int, names: Collection[str], entries: Mapping[str, Entry]) -> int:
        """Make the entries of these names what is given, delete the others, and return how many have changed."""
        changed = 0
        for some in _batches(sorted({*names, *entries})):
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for name in some:
                    entry = entries.get(name)
                    value, ends = (entry.value, _milliseconds(entry.expires_at)) if entry else ("", -1)
                    pipeline.eval(_WRITE, 2, name, VERSIONS, version, value, ends)
                changed += sum(await pipeline.execute())
        return changed

    async def read(self, names: Sequence[str]) -> dict[str, Entry]:
        """Return the entries that are there of these names."""
        found: dict[str, Entry] = {}
        for some in _batches(names):
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for name in some:
                    pipeline.get(name)
                    pipeline.pexpiretime(name)
                answers = await pipeline.execute()
            for name, value, ends in zip(some, answers[::2], answers[1::2], strict=True):
                if value is not None:
                    found[name] = Entry(value, datetime.fromtimestamp(ends / 1000).astimezone() if ends > 0 else None)
        return found

    async def clear_counts(self, user_ids: Collection[object]) -> None:
        """Have the gateway forget what it has counted of the users: their cycle is a new one."""
        async with self._valkey.pipeline(transaction=False) as pipeline:
            for user_id in user_ids:
                pipeline.set(f"usage_limit_clear:{user_id}", "1", ex=_CLEARED_SECONDS)
            await pipeline.execute()

    async def strangers(self, known: Collection[str]) -> AsyncIterator[str]:
        """Yield the entries that are none of the known ones; what others have put there for a while is left out."""
        for pattern in _TABLES:
            async for some in _batches_of(self._valkey.scan_iter(match=pattern, count=1000)):
                unknown = [name for name in some if name not in known]
                if not unknown:
                    continue
                ours = await self._valkey.hmget(VERSIONS, unknown)
                for name, version in zip(unknown, ours, strict=True):
                    if version is not None or await self._valkey.pttl(name) == -1:
                        yield name

    async def is_built(self) -> bool:
        """Tell whether the tables are there at all."""
        return bool(await self._valkey.exists(BUILT))

    async def note_built(self, version: int, live: Collection[str]) -> None:
        """Note that the tables are there; versions of entries long gone are forgotten.

        No writer is that slow: they are from before the last time.
        """
        before = int(await self._valkey.get(BUILT) or 0)
        gone = [
            name
            async for name, known in self._valkey.hscan_iter(VERSIONS, count=1000)
            if int(known) < before and name not in live
        ]
        for some in _batches(gone):
            await self._valkey.hdel(VERSIONS, *some)
        await self._valkey.set(BUILT, version)


def same(one: Entry | None, other: Entry | None) -> bool:
    """Tell whether two entries say the same, and end in the same moment."""
    if one is None or other is None:
        return one is other
    return one.value == other.value and _milliseconds(one.expires_at) == _milliseconds(other.expires_at)


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment is not None else -1


def _batches(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))


async def _batches_of(names: AsyncIterator[Any]) -> AsyncIterator[list[str]]:
    some: list[str] = []
    async for name in names:
        some.append(name)
        if len(some) >= _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
