"""Messages of several aggregates, left in the outbox and heard by a service."""

from collections import defaultdict
from typing import Any

from budapp.commons.database import Database
from budapp.events.outbox import enqueue_publish
from tests.events.sidecar import Peer
from tests.waiting import until

AGGREGATES = tuple(f"workflow:{number}" for number in range(6))


async def enqueue(database: Database, topic: str, count: int) -> None:
    """Leave as many messages of each aggregate, each in a unit of work of its own."""
    for number in range(count):
        async with database.write() as session:
            for aggregate in AGGREGATES:
                body = {"name": aggregate, "number": number}
                await enqueue_publish(session, aggregate=aggregate, topic=topic, payload=body)


async def until_heard(peer: Peer, path: str, count: int) -> list[dict[str, Any]]:
    async def all_are_there() -> bool:
        return len(peer.bodies(path)) >= count

    await until(all_are_there, seen=lambda: len(peer.bodies(path)))
    return peer.bodies(path)


def by_aggregate(bodies: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return the numbers in which the messages of each aggregate came, repetitions left out."""
    found: dict[str, list[int]] = defaultdict(list)
    for body in bodies:
        if body["number"] not in found[body["name"]]:
            found[body["name"]].append(body["number"])
    return found
