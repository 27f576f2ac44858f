"""Two replicas of budapp behind one app id, over Kafka: nothing is lost or done twice, whatever dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select

from benchmarks.pubsub import told
from budapp.commons.database import Database
from budapp.events.models import OutboxMessage
from tests.events.kafka.broker import Broker
from tests.events.kafka.messages import AGGREGATES, by_aggregate, enqueue, until_heard
from tests.events.kafka.place import HEARD, Place
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("cast")
WORKFLOWS = 20


@asynccontextmanager
async def in_the_middle_of_events(place: Place) -> AsyncIterator[None]:
    """Have events told; the block runs when some of them have been taken, and at its end all have had their effect."""
    before = sum(await place.taken())

    async def some_are_taken() -> bool:
        return sum(await place.taken()) > before + 20

    async with asyncio.TaskGroup() as group:
        group.create_task(told(place, WORKFLOWS))
        await until(some_are_taken)
        yield


async def all_were_tried(database: Database, topic: str) -> bool:
    """Whether the relays have tried to publish what is due on the topic: the oldest message of each aggregate."""
    tried = select(func.count()).where(OutboxMessage.target == topic, OutboxMessage.last_error.is_not(None))
    async with database.read() as session:
        return await session.scalar(tried.select_from(OutboxMessage)) == len(AGGREGATES)


async def test_they_share_the_work(place: Place) -> None:
    outcome = await told(place, WORKFLOWS)
    assert min(outcome.taken) > 0


async def test_the_events_of_a_sidecar_that_is_killed_go_to_the_other_replica(place: Place) -> None:
    async with in_the_middle_of_events(place):
        await place.sidecars[0].kill()
    await place.sidecars[0].start()
    await place.until_all_take_part()


async def test_the_broker_is_killed_and_started_again(database: Database, place: Place, broker: Broker) -> None:
    place.peer.forget()
    async with in_the_middle_of_events(place):
        await broker.kill()
        await enqueue(database, place.topic, 3)
        await until(lambda: all_were_tried(database, place.topic))
        assert place.peer.bodies(HEARD) == []
        await broker.start()
        bodies = await until_heard(place.peer, HEARD, 3 * len(AGGREGATES))
    assert by_aggregate(bodies) == {aggregate: [0, 1, 2] for aggregate in AGGREGATES}
