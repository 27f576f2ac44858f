"""A replica that dies with its streams: all go on at the other one, and each event comes once."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from budapp.commons.config import Settings
from budapp.commons.database import Database
from tests.cast import Cast
from tests.live.client import Listener, listening
from tests.projects.data import add, cluster_row
from tests.replicas import Replica, running_replica

STREAMS = 60
PER_PERSON = 20


def port_of(replica: Replica) -> int:
    return replica.http.base_url.port or 0


def names(listener: Listener) -> list[str]:
    return [event.data["data"]["name"] for event in listener.happened]


@pytest.mark.timeout(600)
async def test_the_streams_of_a_killed_replica_go_on_at_another(
    cast: Cast, database: Database, settings: Settings
) -> None:
    people = (cast.admin, cast.manager, cast.developer)
    who = [people[number % len(people)] for number in range(min(STREAMS, PER_PERSON * len(people)))]
    happening = True
    happened: list[str] = []

    async def keep_happening() -> None:
        while happening:
            name = f"c{len(happened)}"
            await add(database, cluster_row(cast.manager, name))
            happened.append(name)
            await asyncio.sleep(0.5)

    async with running_replica(settings) as other, running_replica(settings) as one:
        before: list[Listener] = []
        async with AsyncExitStack() as stack:
            for person in who:
                streams = listening(port_of(one), person.headers, "?type=cluster")
                before.append(await stack.enter_async_context(streams))
            work = asyncio.create_task(keep_happening())
            for found in before:
                await found.until(lambda it: len(it.happened) >= 5, 200)
            one.kill()
            for found in before:
                await found.until(lambda it: it.closed)
        async with AsyncExitStack() as stack:
            after = [
                await stack.enter_async_context(
                    listening(port_of(other), person.headers, "?type=cluster", found.last_id)
                )
                for person, found in zip(who, before, strict=True)
            ]
            happening = False
            await work
            for found in after:
                await found.until(lambda it: names(it)[-1:] == happened[-1:], 120)
        for first, second in zip(before, after, strict=True):
            assert second.of("reset") == []
            assert [*names(first), *names(second)] == happened
