"""A replica that dies with its streams: all go on at the other one, and each event comes once."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from budapp.commons.config import Settings
from budapp.commons.database import Database
from tests.cast import Cast
from tests.live.client import Listener, following
from tests.projects.data import add, cluster_row
from tests.replicas import Replica, running_replica
from tests.waiting import until

STREAMS = 45


def port_of(replica: Replica) -> int:
    return replica.http.base_url.port or 0


def names(listener: Listener) -> list[str]:
    return [event.data["data"]["name"] for event in listener.happened]


async def until_all(listeners: Iterable[Listener], condition: Callable[[Listener], bool], seconds: float) -> None:
    async def all_do() -> bool:
        return all(condition(listener) for listener in listeners)

    await until(all_do, seconds)


async def test_the_streams_of_a_killed_replica_go_on_at_another(
    cast: Cast, database: Database, settings: Settings
) -> None:
    people = (cast.admin, cast.manager, cast.developer)
    happened: list[str] = []

    async def happen(times: int) -> None:
        for _ in range(times):
            name = f"c{len(happened)}"
            await add(database, cluster_row(cast.manager, name))
            happened.append(name)
            await asyncio.sleep(0.2)

    async with running_replica(settings) as other, running_replica(settings) as one, AsyncExitStack() as stack:
        ports = (port_of(one), port_of(other))
        listeners = [
            await stack.enter_async_context(following(ports, people[number % 3].headers, "?type=cluster"))
            for number in range(STREAMS)
        ]
        await happen(5)
        await until_all(listeners, lambda it: len(it.happened) >= 3, 100)
        one.kill()
        await happen(5)
        await until_all(listeners, lambda it: names(it)[-1:] == happened[-1:], 100)
        for listener in listeners:
            assert (names(listener), listener.of("reset")) == (happened, [])
            assert len(listener.of("ready")) > 1
