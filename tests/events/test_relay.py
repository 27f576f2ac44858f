import asyncio
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import trace
from prometheus_client import REGISTRY
from sqlalchemy import func, select, text, update

from budapp.commons.backoff import pause_after
from budapp.commons.context import request_id
from budapp.commons.database import Database, now
from budapp.events.models import InboxMessage, OutboxMessage
from budapp.events.outbox import enqueue_call, enqueue_publish
from budapp.events.relay import MAX_REFUSALS, Relay
from budapp.events.retention import KEEP_DEAD, KEEP_HANDLED, purge_messages
from budapp.integrations.peers import PeerCall
from tests.events.sidecar import Call, Sidecar
from tests.waiting import until


@pytest.fixture
def relay(database: Database, sidecar: Sidecar) -> Relay:
    return Relay(database, sidecar.dapr)


async def tell(database: Database, sidecar: Sidecar, aggregate: str, *numbers: int, **options: Any) -> None:
    """Leave a message for each number, each in a unit of work of its own."""
    for number in numbers:
        async with database.write() as session:
            call = PeerCall(sidecar.peer_id, "POST", f"told/{aggregate}", {"number": number})
            await enqueue_call(session, call, aggregate=aggregate, **options)


async def waiting(database: Database) -> int:
    statement = select(func.count()).where(OutboxMessage.dead_at.is_(None)).select_from(OutboxMessage)
    async with database.read() as session:
        return (await session.execute(statement)).scalar_one()


async def set_all(database: Database, **values: Any) -> None:
    async with database.write() as session:
        await session.execute(update(OutboxMessage).values(**values))


def numbers(sidecar: Sidecar, aggregate: str) -> list[int]:
    return [body["number"] for body in sidecar.peer.bodies(f"told/{aggregate}")]


async def test_messages_of_an_aggregate_arrive_in_order_and_leave_the_outbox(
    database: Database, sidecar: Sidecar, relay: Relay
) -> None:
    await tell(database, sidecar, "a", 1, 2, 3)
    await tell(database, sidecar, "b", 1, 2)

    assert await relay.drain() == 5

    assert numbers(sidecar, "a") == [1, 2, 3]
    assert numbers(sidecar, "b") == [1, 2]
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(OutboxMessage)) == 0


async def test_what_is_rolled_back_is_never_told(database: Database, sidecar: Sidecar, relay: Relay) -> None:
    async def fail_late() -> None:
        async with database.write() as session:
            await enqueue_publish(session, aggregate="a", topic="anything", payload={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_late()

    assert await relay.drain() == 0
    assert sidecar.peer.calls == []


async def test_a_relay_that_dies_before_it_settles_is_made_up_for(
    database: Database, sidecar: Sidecar, relay: Relay
) -> None:
    await tell(database, sidecar, "a", 1, 2)
    (claim,) = await relay.claim(1)
    await relay.deliver(claim)

    assert await Relay(database, sidecar.dapr).drain() == 0
    await set_all(database, lock_expires_at=now() - timedelta(seconds=1))
    assert await Relay(database, sidecar.dapr).drain() == 2

    assert numbers(sidecar, "a") == [1, 1, 2]
    assert not await relay.settle(claim)


async def test_a_claim_that_another_took_over_changes_nothing(
    database: Database, sidecar: Sidecar, relay: Relay
) -> None:
    await tell(database, sidecar, "a", 1)
    (late,) = await relay.claim(1)
    await set_all(database, lock_expires_at=now() - timedelta(seconds=1))
    (current,) = await relay.claim(1)

    assert not await relay.settle(late)
    assert not await relay.settle(late, RuntimeError("late"))
    assert await relay.settle(current)


async def test_relays_side_by_side_keep_the_order_and_never_share_a_message(
    database: Database, sidecar: Sidecar
) -> None:
    busy: Counter[str] = Counter()
    overlaps: list[str] = []

    async def take_a_while(call: Call) -> None:
        busy[call.path] += 1
        if busy[call.path] > 1:
            overlaps.append(call.path)
        await asyncio.sleep(random.uniform(0, 0.01))
        busy[call.path] -= 1

    sidecar.peer.delay = take_a_while
    relays = [Relay(database, sidecar.dapr, concurrency=5, poll_seconds=0.05) for _ in range(3)]
    await asyncio.gather(*[relay.start() for relay in relays])
    await asyncio.gather(*[tell(database, sidecar, f"aggregate-{n}", *range(10)) for n in range(6)])
    await until(lambda: empty(database))
    await asyncio.gather(*[relay.stop() for relay in relays])

    assert overlaps == []
    for n in range(6):
        assert numbers(sidecar, f"aggregate-{n}") == list(range(10))


async def test_a_relay_has_no_more_under_way_than_it_may(database: Database, sidecar: Sidecar) -> None:
    under_way: list[str] = []
    most = 0

    async def take_a_while(call: Call) -> None:
        nonlocal most
        under_way.append(call.path)
        most = max(most, len(under_way))
        await asyncio.sleep(0.1)
        under_way.remove(call.path)

    sidecar.peer.delay = take_a_while
    for n in range(6):
        await tell(database, sidecar, f"aggregate-{n}", 1)
    relay = Relay(database, sidecar.dapr, concurrency=2, poll_seconds=0.02)
    await relay.start()
    await until(lambda: empty(database))
    await relay.stop()
    assert most == 2


async def empty(database: Database) -> bool:
    return await waiting(database) == 0


async def test_a_failing_head_holds_up_its_own_aggregate_only(
    database: Database, sidecar: Sidecar, relay: Relay
) -> None:
    sidecar.peer.answers["told/a"] = [500, 200]
    await tell(database, sidecar, "a", 1, 2)
    await tell(database, sidecar, "b", 1, 2)

    assert await relay.drain() == 3
    assert numbers(sidecar, "a") == [1]
    assert numbers(sidecar, "b") == [1, 2]

    await set_all(database, next_attempt_at=now())
    assert await relay.drain() == 2
    assert numbers(sidecar, "a") == [1, 1, 2]


async def test_a_peer_that_says_error_with_200_has_failed(database: Database, sidecar: Sidecar, relay: Relay) -> None:
    sidecar.peer.answers["told/a"] = [{"object": "error", "message": "Novu is down"}]
    await tell(database, sidecar, "a", 1)

    await relay.drain()

    assert await waiting(database) == 1


async def test_what_a_peer_keeps_refusing_is_given_up_and_its_aggregate_goes_on(
    database: Database, sidecar: Sidecar, relay: Relay
) -> None:
    sidecar.peer.answers["told/a"] = [*[422] * MAX_REFUSALS, 200]
    await tell(database, sidecar, "a", 1, 2)

    for _ in range(MAX_REFUSALS):
        await set_all(database, next_attempt_at=now())
        await relay.drain()

    assert numbers(sidecar, "a") == [1] * MAX_REFUSALS + [2]
    async with database.read() as session:
        (dead,) = (await session.scalars(select(OutboxMessage))).all()
    assert dead.dead_at is not None
    assert "PeerRefused" in (dead.last_error or "")


async def test_deleting_what_the_peer_does_not_have_is_a_success(
    database: Database, sidecar: Sidecar, relay: Relay
) -> None:
    sidecar.peer.answers["subscribers/1"] = [404]
    async with database.write() as session:
        await enqueue_call(session, PeerCall(sidecar.peer_id, "DELETE", "subscribers/1"), aggregate="user:1")

    await relay.drain()

    assert await waiting(database) == 0


async def test_a_secret_lies_encrypted_and_arrives_in_clear(database: Database, sidecar: Sidecar, relay: Relay) -> None:
    async with database.write() as session:
        call = PeerCall(sidecar.peer_id, "POST", "mail", {"password": "Tr0ub4dor"})
        await enqueue_call(session, call, aggregate="a", secret=True)
    async with database.read() as reading:
        row = (await reading.execute(text("select outbox_message::text from outbox_message"))).scalar_one()

    await relay.drain()

    assert "Tr0ub4dor" not in row
    assert sidecar.peer.bodies("mail") == [{"password": "Tr0ub4dor"}]


async def test_what_can_not_be_decrypted_is_given_up(database: Database, sidecar: Sidecar, relay: Relay) -> None:
    await tell(database, sidecar, "a", 1, secret=True)
    await set_all(database, payload_encrypted="gone:AAAA", attempts=MAX_REFUSALS - 1)

    await relay.drain()

    assert await waiting(database) == 0
    assert sidecar.peer.calls == []


async def test_a_started_relay_hears_of_a_commit_at_once_and_stops_after_what_is_under_way(
    database: Database, sidecar: Sidecar
) -> None:
    arrived = asyncio.Event()

    async def take_a_while(_call: Call) -> None:
        arrived.set()
        await asyncio.sleep(0.2)

    sidecar.peer.delay = take_a_while
    relay = Relay(database, sidecar.dapr, poll_seconds=60)
    await relay.start()
    await asyncio.sleep(0.1)
    await tell(database, sidecar, "a", 1, 2)
    async with asyncio.timeout(5):
        await arrived.wait()
    await relay.stop()

    assert numbers(sidecar, "a") == [1]
    assert await waiting(database) == 1
    async with database.read() as session:
        assert await session.scalar(select(OutboxMessage.lock_token)) is None


async def test_a_message_goes_under_the_request_and_trace_it_came_from(
    database: Database, sidecar: Sidecar, relay: Relay
) -> None:
    parent = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    token = request_id.set("request-7")
    with trace.use_span(trace.NonRecordingSpan(parent)):
        await tell(database, sidecar, "a", 1)
    request_id.reset(token)

    await relay.drain()

    headers = sidecar.peer.calls[0].headers
    assert headers["x-request-id"] == "request-7"
    assert f"{0xABC:032x}" in headers["traceparent"]


async def test_old_dead_messages_and_old_events_are_purged(database: Database, sidecar: Sidecar) -> None:
    await tell(database, sidecar, "a", 1, 2)
    async with database.write() as session:
        first = select(func.min(OutboxMessage.position)).scalar_subquery()
        ancient = now() - KEEP_DEAD - timedelta(days=1)
        await session.execute(update(OutboxMessage).where(OutboxMessage.position == first).values(dead_at=ancient))
        about = {"source": "s", "type": "t", "created_at": ancient - KEEP_HANDLED}
        session.add(InboxMessage(message_id="old", **about))
        session.add(InboxMessage(message_id="given up long ago", dead_at=ancient, **about))
        session.add(InboxMessage(message_id="given up", dead_at=now(), **about))
        session.add(InboxMessage(message_id="waiting", next_attempt_at=now(), **about))
        session.add(InboxMessage(source="s", message_id="new", type="t"))

    await purge_messages(database)

    async with database.read() as reading:
        assert await reading.scalar(select(func.count()).select_from(OutboxMessage)) == 1
        assert set(await reading.scalars(select(InboxMessage.message_id))) == {"given up", "waiting", "new"}


async def test_what_was_given_up_is_no_lag(database: Database, sidecar: Sidecar, relay: Relay) -> None:
    await tell(database, sidecar, "a", 1)
    await set_all(database, dead_at=now(), created_at=now() - timedelta(hours=1))
    await relay._measure()
    figures = [REGISTRY.get_sample_value(f"budapp_outbox_{name}") for name in ("waiting", "lag_seconds")]
    assert figures == [0, 0]


async def test_what_happens_is_counted(database: Database, sidecar: Sidecar) -> None:
    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"budapp_outbox_{name}", labels) or 0

    delivered, failed = value("delivered_total", kind="invoke"), value("failed_total", kind="invoke")
    sidecar.peer.answers["told/a"] = [500]
    await tell(database, sidecar, "a", 1)
    await tell(database, sidecar, "b", 1)
    relay = Relay(database, sidecar.dapr, poll_seconds=60)
    await relay.start()

    async def counted() -> bool:
        both = value("delivered_total", kind="invoke"), value("failed_total", kind="invoke")
        return both == (delivered + 1, failed + 1) and value("waiting") >= 1 and value("lag_seconds") > 0

    await until(counted)
    await relay.stop()


def test_pauses_grow_up_to_a_limit() -> None:
    assert timedelta(seconds=1) <= pause_after(1) <= timedelta(seconds=2)
    assert timedelta(seconds=4) <= pause_after(3) <= timedelta(seconds=8)
    assert timedelta(seconds=150) <= pause_after(1000) <= timedelta(seconds=300)
