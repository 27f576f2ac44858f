"""`python -m benchmarks.pubsub`: events a second through one replica and two, over Kafka and over Valkey.

Everything is run as the chart sets it up: replicas of budapp with a sidecar each behind one app id, and a service with
a sidecar that publishes each event twice. What has come of them is checked in the database. The stack must be up, and
`deploy` on the PYTHONPATH: it knows where the programs are.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis
from stack.maven import kafka
from stack.python_env import Workshop
from stack.settings import DEV_STATE, cache_folder
from stack.toolbox import DAPRD, HELM, find_java, go_program

from benchmarks.ground import dsn, in_process_settings, prepared
from benchmarks.notifications import came_of, clear, events, open_workflows
from benchmarks.servers import Server
from budapp.commons.config import Settings
from tests.events.kafka.broker import components, running_broker
from tests.events.kafka.place import Place, running_place
from tests.waiting import until

WORKFLOWS = 60
ROUNDS = 3
SECONDS = 300
DB = 14
"""Valkey's database for it."""
_AT_ONCE = 64

Running = Callable[[Settings, Path], AbstractAsyncContextManager[dict[str, str]]]
"""Runs a broker, and returns its component and what belongs to that, by file."""


@dataclass(frozen=True)
class Outcome:
    """What came of the events.

    Attributes:
        rate: events handled a second, repetitions included.
        taken: how many each replica was handed.
        cpu: milliseconds of a core for one of them, of all replicas and of all their sidecars.
    """

    rate: float
    taken: list[int]
    cpu: tuple[float, float]


async def main() -> None:
    """Print the figures; it fails where an event was lost, or applied twice."""
    _find_programs()
    settings = in_process_settings()
    async with prepared(settings, (1,)):
        for name, pubsub in PUBSUBS.items():
            for count in (1, 2):
                outcomes = await _rounds(settings, pubsub, count)
                rate = statistics.median(outcome.rate for outcome in outcomes)
                budapp, sidecar = (
                    statistics.median(column) for column in zip(*(outcome.cpu for outcome in outcomes), strict=True)
                )
                print(f"{name:<22}{count} of budapp: {rate:>5.0f}/s, budapp {budapp:.1f} ms, sidecar {sidecar:.1f} ms")
                print(f"{'':<22}handed to each: {outcomes[-1].taken}")


async def _rounds(settings: Settings, pubsub: Running, count: int) -> list[Outcome]:
    with TemporaryDirectory() as folder:
        async with (
            pubsub(settings, Path(folder)) as files,
            running_place(settings, files, count, Path(folder)) as place,
        ):
            return [await _round(place) for _ in range(ROUNDS + 1)][1:]  # the first is slower


async def _round(place: Place) -> Outcome:
    outcome = await told(place, WORKFLOWS)
    connection = await asyncpg.connect(dsn(place.settings))
    await clear(connection)
    await connection.close()
    return outcome


async def told(place: Place, workflows: int) -> Outcome:
    """Publish all events of workflows that are made for it, and wait until every one has been handled.

    There must be no others in the database.

    Raises:
        AssertionError: an event was lost, or applied twice.
    """
    connection = await asyncpg.connect(dsn(place.settings))
    found: dict[str, tuple[int, int]] = {}
    before = await place.taken()
    bodies = events(await open_workflows(connection, workflows))

    async def all_are_taken() -> bool:
        return sum(await place.taken()) - sum(before) >= len(bodies)

    async def all_have_taken_effect() -> bool:
        found.update(await came_of(connection, bodies))
        return all(is_there == due for is_there, due in found.values())

    try:
        started, cpu = time.perf_counter(), _cpu_seconds(place)
        await _at_once(place.tell, bodies)
        await until(all_are_taken, SECONDS, seen=lambda: f"{len(bodies)} published")
        seconds = time.perf_counter() - started
        used = [(after - then) * 1000 / len(bodies) for after, then in zip(_cpu_seconds(place), cpu, strict=True)]
        await until(all_have_taken_effect, seen=lambda: found)
    finally:
        await connection.close()
    taken = [now - then for now, then in zip(await place.taken(), before, strict=True)]
    return Outcome(len(bodies) / seconds, taken, (used[0], used[1]))


def _cpu_seconds(place: Place) -> tuple[float, float]:
    """Return the processor time that the replicas have used so far, and that their sidecars have."""
    budapp = sum(Server("", replica.process.pid).cpu_seconds() for replica in place.replicas)
    return budapp, sum(Server("", sidecar.pid).cpu_seconds() for sidecar in place.sidecars if sidecar.pid)


async def _at_once(tell: Callable[[bytes], Awaitable[None]], bodies: list[bytes]) -> None:
    waiting = iter(bodies)

    async def work() -> None:
        for body in waiting:
            await tell(body)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


@asynccontextmanager
async def _kafka(settings: Settings, folder: Path, *, partitions: int) -> AsyncIterator[dict[str, str]]:
    async with running_broker(folder, partitions) as broker:
        yield components(settings, broker.values(), broker.secrets(), folder)


@asynccontextmanager
async def _valkey(settings: Settings, folder: Path) -> AsyncIterator[dict[str, str]]:
    url = urlsplit(settings.tensorzero_redis_url.get_secret_value())
    values = {"host": f"{url.hostname}:{url.port}", "db": DB, "passwordSecret": {"name": "valkey", "key": "password"}}
    yield components(settings, {"type": "redis", "redis": values}, {"valkey": {"password": url.password}}, folder)
    async with Redis.from_url(url._replace(path=f"/{DB}").geturl()) as valkey:
        await valkey.flushdb()


PUBSUBS: dict[str, Running] = {
    "Valkey": _valkey,
    "Kafka, 12 partitions": partial(_kafka, partitions=12),
    "Kafka, 1 partition": partial(_kafka, partitions=1),
}


def _find_programs() -> None:
    """Bring in what is missing, and have it found as tests find it."""
    shop = Workshop(cache_folder(), DEV_STATE)
    java = find_java(shop)
    programs = {"JAVA": java, "KAFKA": kafka(shop, java)}
    programs |= {program.name.upper(): go_program(shop, program) for program in (DAPRD, HELM)}
    os.environ |= {name: str(path) for name, path in programs.items()}


if __name__ == "__main__":
    asyncio.run(main())
