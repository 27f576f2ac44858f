"""What a client is sent, in which order, and how it goes on where it was."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select

from budapp.cluster_ops.models import Cluster
from budapp.commons.access import Authenticator, Caller
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.live_ops import services
from budapp.live_ops.hub import MAX_BUFFERED, MAX_STREAMS_OF_USER, Hub, Stream
from budapp.live_ops.models import LiveEvent
from budapp.live_ops.publisher import Publisher
from budapp.live_ops.reach import Reach, Viewer
from budapp.live_ops.schemas import Audience, EntryId, EventQuery
from budapp.live_ops.services import Sending, open_stream
from budapp.live_ops.streams import EventStreams
from budapp.main import create_app
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import User
from tests.cast import PASSWORD, Cast
from tests.commons.test_stores_down import closed_port
from tests.events.sidecar import serve
from tests.live.client import Listener, listening
from tests.live.conftest import Live
from tests.projects.data import add, cluster_row
from tests.waiting import until

CLUSTERS = "?type=cluster"


async def happen(database: Database, cast: Cast, *names: str) -> list[str]:
    """Have clusters come, one after the other, and return their ids."""
    ids = []
    for name in names:
        row = cluster_row(cast.manager, name)
        await add(database, row)
        ids.append(str(row.id))
    return ids


def names(listener: Listener) -> list[str]:
    return [event.data["data"]["name"] for event in listener.happened]


def place(listener: Listener) -> EntryId:
    found = EntryId.parse(listener.last_id or "")
    assert found
    return found


def ends_with(name: str, listener: Listener) -> bool:
    return names(listener)[-1:] == [name]


@asynccontextmanager
async def another_replica(settings: Settings) -> AsyncIterator[int]:
    """Serve another application with streams of its own."""
    app = create_app(settings)
    async with serve(app) as port:
        yield port
        await components_of(app)[Hub].stop()
    await components_of(app).close()


async def caller_of(app: FastAPI, token: str) -> Caller:
    return await components_of(app)[Authenticator].authenticate(token)


async def test_an_event_says_what_happened(cast: Cast, database: Database, live: Live) -> None:
    async with listening(live.port, cast.manager.headers, CLUSTERS) as found:
        assert found.status == 200
        (cluster_id,) = await happen(database, cast, "c1")
        await found.until(lambda it: it.happened)
        (event,) = found.happened
        assert event.type == "cluster.status"
        assert event.data.pop("time")
        assert event.data == {
            "type": "cluster.status",
            "object": {"type": "cluster", "id": cluster_id},
            "data": {"name": "c1", "status": "available", "reason": None},
        }
        async with database.write() as session:
            (await session.get_one(Cluster, UUID(cluster_id))).status = "not_available"
        await found.until(lambda it: len(it.happened) == 2)
        assert found.happened[1].data["data"]["status"] == "not_available"


async def test_what_was_rolled_back_has_not_happened(cast: Cast, database: Database, live: Live) -> None:
    async with listening(live.port, cast.manager.headers, CLUSTERS) as found:
        with suppress(ZeroDivisionError):
            async with database.write() as session:
                session.add(cluster_row(cast.manager, "never"))
                await session.flush()
                raise ZeroDivisionError
        async with database.write() as session:
            with suppress(ZeroDivisionError):
                async with session.begin_nested():
                    session.add(cluster_row(cast.manager, "nor this"))
                    await session.flush()
                    raise ZeroDivisionError
            session.add(cluster_row(cast.manager, "this"))
        await found.until(lambda it: it.happened)
        assert names(found) == ["this"]


async def test_filters_by_type_and_object(cast: Cast, database: Database, live: Live) -> None:
    first, _ = await happen(database, cast, "a", "b")
    await live.publisher.look()
    async with (
        listening(live.port, cast.manager.headers, f"?object_id={first}&type=cluster.status") as one,
        listening(live.port, cast.manager.headers, "?type=endpoint&type=model.status") as others,
        listening(live.port, cast.manager.headers) as everything,
    ):
        async with database.write() as session:
            for row in await session.scalars(select(Cluster).order_by(Cluster.name)):
                row.status = "error"
        await everything.until(lambda it: len(it.happened) == 2)
        assert names(one) == ["a"]
        assert others.happened == []


class Held(Reach):
    """Lets something happen while it is being asked for the first time."""

    meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def prepare(self, viewers: Iterable[Viewer], audiences: Iterable[Audience]) -> None:
        await super().prepare(viewers, audiences)
        if self.meanwhile is not None:
            work, self.meanwhile = self.meanwhile, None
            await work()


@dataclasses.dataclass
class Behind:
    """A hub that is about to put the first event into its streams, and the stream of who was there before."""

    hub: Hub
    reach: Held
    first: Stream

    async def tell(self) -> None:
        """Wait until the first event is in the stream."""

        async def is_told() -> bool:
            return bool(self.first.events)

        await until(is_told)


@pytest.fixture
async def behind(cast: Cast, database: Database, live: Live) -> AsyncIterator[Behind]:
    components = components_of(live.app)
    callers, reach = components[Callers], Held(database)
    hub = Hub(components[EventStreams], reach, callers)
    caller = await caller_of(live.app, cast.manager.tokens["access_token"])
    first, _ = await hub.join(caller, EventQuery(), None)
    yield Behind(hub, reach, first)
    await hub.stop()
    callers.listeners.remove(hub.forget)


async def test_whoever_joins_while_others_are_being_told_misses_nothing(
    cast: Cast, database: Database, live: Live, behind: Behind
) -> None:
    late: list[Stream] = []

    async def another_joins() -> None:
        caller = await caller_of(live.app, cast.developer.tokens["access_token"])
        late.append((await behind.hub.join(caller, EventQuery(), str(behind.first.position)))[0])

    behind.reach.meanwhile = another_joins
    await happen(database, cast, "one")
    await behind.tell()
    assert [event.object_id for event in late[0].events] == [event.object_id for event in behind.first.events]


async def test_whoever_was_told_at_another_replica_is_not_told_again_at_one_that_is_behind(
    cast: Cast, database: Database, live: Live, behind: Behind
) -> None:
    moved: list[Stream] = []

    async def comes_from_the_other() -> None:
        caller = await caller_of(live.app, cast.developer.tokens["access_token"])
        _, newest = await components_of(live.app)[EventStreams].open(cast.tenant_id)
        moved.append((await behind.hub.join(caller, EventQuery(), str(newest)))[0])

    async def is_told() -> bool:
        return bool(moved[0].events)

    behind.reach.meanwhile = comes_from_the_other
    await happen(database, cast, "one")
    await behind.tell()
    [two] = await happen(database, cast, "two")
    await until(is_told)
    assert [event.object_id for event in moved[0].events] == [two]


@pytest.mark.parametrize("query", ["?type=Endpoint", "?object_id=1", "?max_seconds=-1", "?types=endpoint"])
async def test_filters_that_make_no_sense_are_refused(cast: Cast, live: Live, query: str) -> None:
    async with listening(live.port, cast.manager.headers, query) as refused:
        assert refused.status == 422


async def test_nobody_listens_without_a_token(live: Live) -> None:
    async with listening(live.port, {}) as refused:
        assert refused.status == 401


async def test_it_goes_on_where_it_was_on_any_replica(
    cast: Cast, database: Database, live: Live, settings: Settings
) -> None:
    async with another_replica(settings) as other:
        last_id, seen = None, []
        for number, port in enumerate([live.port, other, live.port, other]):
            await happen(database, cast, f"{number} missed")
            await live.publisher.look()
            async with listening(port, cast.manager.headers, CLUSTERS, last_id) as found:
                if last_id is not None:
                    await found.until(lambda it: it.happened)
                await happen(database, cast, f"{number} seen")
                await found.until(partial(ends_with, f"{number} seen"))
                assert found.of("reset") == []
                seen += names(found)
                last_id = found.last_id
    assert seen == ["0 seen", "1 missed", "1 seen", "2 missed", "2 seen", "3 missed", "3 seen"]


@pytest.mark.parametrize("last_id", ["1-0", "99999999999999-0", "x", "1", "-", "1-0-0", "9" * 90 + "-0"])
async def test_an_id_of_which_nothing_is_known_is_told_to_read_anew(
    cast: Cast, database: Database, live: Live, last_id: str
) -> None:
    await happen(database, cast, "before")
    await live.publisher.look()
    async with listening(live.port, cast.manager.headers, CLUSTERS, last_id) as found:
        assert [event.data for event in found.of("reset")] == [{"reason": "too_old"}]
        await happen(database, cast, "after")
        await found.until(lambda it: it.happened)
        assert names(found) == ["after"]


async def test_what_valkey_has_lost_is_told_to_be_read_anew(cast: Cast, database: Database, live: Live) -> None:
    async with listening(live.port, cast.manager.headers, CLUSTERS) as found:
        await happen(database, cast, "one")
        await found.until(lambda it: it.happened)
    await live.valkey.delete(f"budapp:events:{{{cast.tenant_id}}}")
    async with listening(live.port, cast.manager.headers, CLUSTERS, found.last_id) as again:
        assert again.of("reset")


async def test_an_event_that_is_told_twice_comes_once(app: FastAPI, cast: Cast, database: Database, live: Live) -> None:
    await live.publisher.stop()
    await happen(database, cast, "once")
    async with database.read() as session:
        rows = (await session.scalars(select(LiveEvent))).all()
    streams = components_of(app)[EventStreams]
    async with listening(live.port, cast.manager.headers, CLUSTERS) as found:
        await streams.append(rows)  # its process dies here, and another one tells it again
        await live.publisher.look()
        await happen(database, cast, "next")
        await live.publisher.look()
        await found.until(lambda it: len(it.happened) > 1)
        assert names(found) == ["once", "next"]
    async with database.read() as session:
        assert (await session.scalars(select(LiveEvent))).all() == []


async def test_two_that_tell_at_the_same_time_keep_the_order(
    app: FastAPI, cast: Cast, database: Database, live: Live
) -> None:
    await live.publisher.stop()
    other = Publisher(database, components_of(app)[EventStreams], components_of(app).hooks)
    row = cluster_row(cast.manager, "c")
    await add(database, row)
    statuses = ["error", "available"] * 20
    for status in statuses:
        async with database.write() as session:
            (await session.get_one(Cluster, row.id)).status = status
    async with listening(live.port, cast.manager.headers, CLUSTERS) as found:
        await asyncio.gather(live.publisher.look(), other.look())
        await found.until(lambda it: len(it.happened) >= 41)
        assert [event.data["data"]["status"] for event in found.happened] == ["available", *statuses]


async def test_a_slow_client_costs_a_bounded_buffer_and_is_told_to_read_anew(
    app: FastAPI, cast: Cast, database: Database, live: Live
) -> None:
    caller = await caller_of(app, cast.manager.tokens["access_token"])
    sending = await open_stream(live.hub, caller, EventQuery(type=["cluster"]), None)
    frames = sending.frames()
    assert b"ready" in await anext(frames)
    async with database.write() as session:
        session.add_all(cluster_row(cast.manager, f"c{number}") for number in range(MAX_BUFFERED + 10))
    async with listening(live.port, cast.manager.headers, CLUSTERS) as quick:
        stream = sending._stream
        async with asyncio.timeout(20):
            while not stream.lost:
                assert len(stream.events) <= MAX_BUFFERED
                await asyncio.sleep(0.02)
        assert not stream.events
        assert b"too_slow" in await anext(frames)
        await happen(database, cast, "last")
        assert b'"last"' in await anext(frames)
        await quick.until(lambda it: "last" in names(it))
    sending.close()


async def test_the_stream_ends_with_the_session(client: httpx.AsyncClient, cast: Cast, live: Live) -> None:
    login = {"email": cast.tester.email, "password": PASSWORD}
    tokens = (await client.post("/auth/login", json=login)).json()["token"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with listening(live.port, headers) as found, listening(live.port, cast.tester.headers) as other:
        refresh = {"refresh_token": tokens["refresh_token"]}
        assert (await client.post("/auth/logout", json=refresh, headers=headers)).status_code == 200
        await found.until(lambda it: it.closed, 5)
        assert [event.data["reason"] for event in found.of("end")] == ["session_ended"]
        assert not other.closed


async def test_the_streams_of_somebody_who_is_deleted_end(
    client: httpx.AsyncClient, cast: Cast, database: Database, live: Live
) -> None:
    async with listening(live.port, cast.tester.headers) as found:
        async with database.write() as session:
            (await session.get_one(User, cast.tester.id)).status = "deleted"
        await found.until(lambda it: it.closed, 10)
        assert [event.data["reason"] for event in found.of("end")] == ["session_ended"]


async def test_a_fresh_token_is_asked_for_before_the_end(app: FastAPI, cast: Cast, live: Live) -> None:
    caller = await caller_of(app, cast.manager.tokens["access_token"])
    soon = dataclasses.replace(caller, token_expires_at=now() + timedelta(seconds=1.5))
    sending = await open_stream(live.hub, soon, EventQuery(), None)
    frames = [frame.decode() async for frame in sending.frames()]
    sending.close()
    assert [frame.partition("\n")[0] for frame in frames] == ["event: ready", "event: token", "event: end"]
    assert "token_expired" in frames[-1]


async def test_a_stream_can_be_opened_for_a_while(cast: Cast, live: Live) -> None:
    async with listening(live.port, cast.manager.headers, "?max_seconds=1") as found:
        await found.until(lambda it: it.closed, 10)
        assert [event.type for event in found.events] == ["ready", "end"]


async def test_heartbeats_carry_the_place_to_go_on_from(
    cast: Cast, database: Database, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "HEARTBEAT_SECONDS", 0.2)
    async with listening(live.port, cast.manager.headers, "?type=endpoint") as found:
        first = place(found)
        await happen(database, cast, "not asked for")
        await found.until(lambda it: place(it) > first)
        assert found.heartbeats
        assert found.happened == []


async def test_one_person_cannot_have_too_many(app: FastAPI, cast: Cast, live: Live) -> None:
    caller = await caller_of(app, cast.manager.tokens["access_token"])
    open_ones: list[Sending] = [
        await open_stream(live.hub, caller, EventQuery(), None) for _ in range(MAX_STREAMS_OF_USER)
    ]
    async with listening(live.port, cast.manager.headers) as refused:
        assert refused.status == 429
    for each in open_ones:
        each.close()
    async with listening(live.port, cast.manager.headers) as taken:
        assert taken.status == 200


async def test_a_client_that_goes_leaves_nothing_behind(cast: Cast, live: Live) -> None:
    async with listening(live.port, cast.manager.headers):
        assert len(list(live.hub._of_all())) == 1
    async with asyncio.timeout(10):
        while list(live.hub._of_all()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_without_valkey_there_are_no_streams(cast: Cast, settings: Settings, database: Database) -> None:
    nowhere = SecretStr(f"redis://127.0.0.1:{closed_port()}/2")
    crippled = settings.model_copy(update={"tensorzero_redis_url": nowhere})
    async with another_replica(crippled) as port, listening(port, cast.manager.headers) as refused:
        assert refused.status == 503


async def test_the_outage_of_valkey_loses_nothing(app: FastAPI, cast: Cast, database: Database, live: Live) -> None:
    async with listening(live.port, cast.manager.headers, CLUSTERS) as found:
        await happen(database, cast, "before")
        await found.until(lambda it: it.happened)
        await live.publisher.stop()
        for connection in await live.valkey.client_list():
            if "xread" in connection["cmd"]:
                await live.valkey.client_kill_filter(_id=connection["id"])
        await happen(database, cast, "meanwhile")
        rest: list[Any] = []
        await live.publisher.start()
        if found.closed:
            async with listening(live.port, cast.manager.headers, CLUSTERS, found.last_id) as again:
                await again.until(lambda it: it.happened)
                rest = names(again)
        else:
            await found.until(lambda it: len(it.happened) == 2)
        assert [*names(found), *rest] == ["before", "meanwhile"]


def test_ids_have_an_order() -> None:
    parsed = [EntryId.parse(text) for text in ("1-1", "1-2", "2-0", "10-0")]
    assert all(parsed)
    assert sorted(parsed, reverse=True)[::-1] == parsed  # type: ignore[type-var]
    assert str(parsed[0]) == "1-1"
