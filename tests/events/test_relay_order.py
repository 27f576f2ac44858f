"""Whatever relays do, and whenever they die, each aggregate's messages are delivered in order."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.commons.errors import PeerFailed
from budapp.commons.leases import Lease
from budapp.events.models import OutboxMessage
from budapp.events.outbox import enqueue_publish
from budapp.events.relay import Claim, Relay
from budapp.integrations.dapr import DaprClient

AGGREGATES = ("a", "b", "c")

steps = st.one_of(
    st.tuples(st.just("enqueue"), st.sampled_from(AGGREGATES)),
    st.tuples(st.just("claim"), st.integers(1, 3)),
    st.tuples(st.just("succeed"), st.integers(0, 5)),
    st.tuples(st.just("fail"), st.integers(0, 5)),
    st.tuples(st.just("expire"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.none()),
)


@dataclass
class World:
    database: Database
    relay: Relay
    sent: int = 0
    waiting: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in AGGREGATES})
    held: list[Claim] = field(default_factory=list)
    expired: set[Lease] = field(default_factory=set)

    async def enqueue(self, aggregate: str) -> None:
        self.sent += 1
        async with self.database.write() as session:
            await enqueue_publish(session, aggregate=aggregate, topic="t", payload={"number": self.sent})
        self.waiting[aggregate].append(self.sent)

    async def claim(self, limit: int) -> None:
        for claim in await self.relay.claim(limit):
            valid = [other for other in self.held if other.lease not in self.expired]
            assert claim.aggregate not in {other.aggregate for other in valid}
            assert claim.payload["number"] == self.waiting[claim.aggregate][0]
            self.held.append(claim)

    async def succeed(self, index: int) -> None:
        claim = self.held.pop(index % len(self.held))
        if await self.relay.settle(claim):
            assert self.waiting[claim.aggregate].pop(0) == claim.payload["number"]
        else:
            assert claim.lease in self.expired

    async def fail(self, index: int) -> None:
        claim = self.held.pop(index % len(self.held))
        assert await self.relay.settle(claim, PeerFailed()) or claim.lease in self.expired

    async def expire(self, index: int) -> None:
        claim = self.held[index % len(self.held)]
        async with self.database.write() as session:
            await session.execute(
                update(OutboxMessage)
                .where(OutboxMessage.lock_token == claim.lease.token, OutboxMessage.id == claim.lease.row_id)
                .values(lock_expires_at=now() - timedelta(seconds=1))
            )
        self.expired.add(claim.lease)

    async def wait(self, _: None) -> None:
        async with self.database.write() as session:
            await session.execute(update(OutboxMessage).values(next_attempt_at=now() - timedelta(seconds=1)))

    async def finish(self) -> None:
        """Let everyone who is still at it die, and deliver the rest."""
        for index in range(len(self.held)):
            await self.expire(index)
        self.held.clear()
        await self.wait(None)
        while any(self.waiting.values()):
            await self.claim(3)
            while self.held:
                await self.succeed(0)


@pytest.mark.usefixtures("database")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(steps, max_size=30))
async def test_any_interleaving_keeps_the_order(app: FastAPI, plan: list[tuple[str, object]]) -> None:
    database: Database = components_of(app)[Database]
    async with database.write() as session:
        await session.execute(delete(OutboxMessage))
    world = World(database, Relay(database, components_of(app)[DaprClient]))
    for name, argument in plan:
        if world.held or name in {"enqueue", "claim", "wait"}:
            await getattr(world, name)(argument)
    await world.finish()
