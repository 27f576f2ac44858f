"""Events over Kafka, with the component that the chart makes, are taken, offered again and set aside as elsewhere."""

import asyncio
import random
from collections import defaultdict

from budapp.commons.database import Database
from budapp.events.relay import Relay
from tests.events.kafka.messages import AGGREGATES, by_aggregate, enqueue, until_heard
from tests.events.sidecar import Call, Sidecar
from tests.events.test_inbox import (
    recorder,
    test_a_published_event_comes_in_through_the_sidecar,
    test_what_is_no_event_ends_in_the_dead_letter_topic,
)

__all__ = [
    "recorder",
    "test_a_published_event_comes_in_through_the_sidecar",
    "test_what_is_no_event_ends_in_the_dead_letter_topic",
]


async def test_messages_of_an_aggregate_are_received_in_order(database: Database, sidecar: Sidecar) -> None:
    async def take_a_while(_call: Call) -> None:
        await asyncio.sleep(random.uniform(0, 0.05))

    sidecar.peer.delay = take_a_while
    await enqueue(database, "ordered", 5)
    await Relay(database, sidecar.dapr).drain()
    bodies = await until_heard(sidecar.peer, "ordered", 5 * len(AGGREGATES))
    assert by_aggregate(bodies) == {aggregate: list(range(5)) for aggregate in AGGREGATES}
    partitions: dict[str, set[str]] = defaultdict(set)
    for call in sidecar.peer.calls:
        partitions[call.headers["__key"]].add(call.headers["__partition"])
    assert [len(found) for found in partitions.values()] == [1] * len(AGGREGATES)
    assert len(set.union(*partitions.values())) > 1


async def test_what_could_not_be_taken_is_offered_again_and_set_aside_at_last(sidecar: Sidecar) -> None:
    sidecar.peer.answers["refused"] = [500, 503, 200]
    await sidecar.dapr.publish("refused", {"name": "later"}, key="one")
    assert [body["name"] for body in await until_heard(sidecar.peer, "refused", 3)] == ["later"] * 3
    sidecar.peer.forget()
    sidecar.peer.answers["refused"] = [500]
    await sidecar.dapr.publish("refused", {"name": "never"}, key="one")
    [dead] = await until_heard(sidecar.peer, "dead-letters", 1)
    assert (dead["name"], len(sidecar.peer.bodies("refused"))) == ("never", 4)
    sidecar.peer.forget()
    await sidecar.dapr.publish("refused", {"name": "next"}, key="one")
    assert [body["name"] for body in await until_heard(sidecar.peer, "refused", 1)] == ["next"]
