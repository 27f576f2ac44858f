"""`python -m tests.gateway.writer URL COUNT SEED`: a process that writes entries, each with a version, in any order."""

import asyncio
import random
import sys

from redis.asyncio import Redis

from budapp.gateway_ops.entries import Entry
from budapp.gateway_ops.store import GatewayStore

COUNTER = "test:version"
NAMES = [f"model_table:{number}" for number in range(20)]
AT_ONCE = 8


def entries_of(version: int, names: list[str]) -> dict[str, Entry]:
    """Return what the version says: every fifth one that the entries are gone."""
    return {} if version % 5 == 0 else {name: Entry(f'{{"version":{version}}}') for name in names}


async def main(url: str, count: int, seed: int) -> None:
    valkey, chance = Redis.from_url(url, decode_responses=True), random.Random(seed)
    store, free = GatewayStore(valkey), asyncio.Semaphore(AT_ONCE)

    async def write() -> None:
        async with free:
            names = chance.sample(NAMES, chance.randint(1, len(NAMES)))
            version = int(await valkey.incr(COUNTER))
            await asyncio.sleep(chance.random() / 50)  # who has drawn a version first may come last
            await store.write(version, names, entries_of(version, names))
            for name in names:
                await valkey.zadd("test:written", {f"{name} {version}": version})

    await asyncio.gather(*(write() for _ in range(count)))
    await valkey.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
