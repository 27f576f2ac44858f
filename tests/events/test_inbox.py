import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from budapp.commons.config import Settings
from budapp.commons.database import Database, WriteSession
from budapp.commons.errors import NotFound
from budapp.events import crud
from budapp.events.dispatch import EventHandlers, Handler
from budapp.events.inbox import MAX_ATTEMPTS, retry_events
from budapp.events.models import InboxMessage, OutboxMessage
from budapp.events.outbox import enqueue_publish
from budapp.events.schemas import Event
from tests.command_line import budapp
from tests.events.sidecar import Sidecar
from tests.waiting import until


class Recorder:
    """A handler that remembers its events and leaves a row for each."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures = 0

    async def __call__(self, session: WriteSession, event: Event) -> None:
        self.events.append(event)
        await enqueue_publish(session, aggregate="effect", topic="t", payload={})
        await asyncio.sleep(0.01)
        if self.failures:
            self.failures -= 1
            raise NotFound


class Poison:
    """A handler that never manages."""

    def __init__(self, recorder: Recorder) -> None:
        self.given_up: list[Event] = []
        self._recorder = recorder

    async def __call__(self, session: WriteSession, event: Event) -> None:
        await enqueue_publish(session, aggregate="effect", topic="t", payload={})
        raise ValueError("poison")

    async def give_up(self, _session: WriteSession, event: Event) -> None:
        self.given_up.append(event)
        raise ValueError("not even that")


async def due(database: Database) -> None:
    """Let the time come for all events that are to be handled again."""
    async with database.write() as session:
        waiting = InboxMessage.next_attempt_at.is_not(None)
        await session.execute(update(InboxMessage).where(waiting).values(next_attempt_at=func.now()))


async def kept_events(database: Database) -> Sequence[InboxMessage]:
    async with database.read() as session:
        return (await session.scalars(select(InboxMessage).order_by(InboxMessage.id))).all()


async def inbox(settings: Settings, *command: str) -> str:
    return (await budapp(settings, "inbox", *command)).stdout


@pytest.fixture
def recorder(handlers: EventHandlers) -> Recorder:
    recorder = Recorder()
    for type in ("deploy_model", "credential_update"):
        handlers.add(type, recorder)
    return recorder


@pytest.fixture
def headers(settings: Settings) -> dict[str, str]:
    token = settings.app_api_token.get_secret_value()
    return {"dapr-api-token": token, "content-type": "application/cloudevents+json"}


def notification(**payload: Any) -> dict[str, Any]:
    """A step's event, as a peer publishes it and the sidecar delivers it."""
    return {
        "name": "bud-internal",
        "notification_type": "event",
        "subscriber_ids": "0199",
        "actor": None,
        "payload": {
            "category": "internal",
            "type": "deploy_model",
            "event": "results",
            "workflow_id": "0198",
            "source": "budcluster",
            "content": {"title": "Deployed", "message": "Done", "status": "COMPLETED", "result": {"url": "x"}},
        }
        | payload,
        "correlation_id": "unknown to us",
        "source": "budcluster",
        "source_topic": "budClusterMessages",
        "specversion": "1.0",
        "time": "2026-01-01T00:00:00Z",
        "topic": "budAppMessages",
        "traceid": "00-1-1-00",
        "traceparent": "00-1-1-00",
        "type": "deploy_model",
    }


async def rows(database: Database, table: Any) -> int:
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def post(client: httpx.AsyncClient, headers: dict[str, str], body: Any) -> dict[str, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await client.post("/notifications", content=content, headers=headers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["object"] == "notification"
    return answer


async def test_a_notification_reaches_its_handler_once(
    client: httpx.AsyncClient, headers: dict[str, str], database: Database, recorder: Recorder
) -> None:
    await post(client, headers, notification())
    again = await post(client, headers, notification() | {"traceid": "00-2-2-00", "traceparent": "00-2-2-00"})

    assert "before" in again["message"]
    (event,) = recorder.events
    assert (event.payload.event, event.payload.content.result) == ("results", {"url": "x"})
    assert (event.source, event.payload.workflow_id) == ("budcluster", "0198")
    assert await rows(database, OutboxMessage) == 1


async def test_another_time_or_another_step_is_another_event(
    client: httpx.AsyncClient, headers: dict[str, str], database: Database, recorder: Recorder
) -> None:
    await post(client, headers, notification())
    await post(client, headers, notification() | {"time": "2026-01-01T00:00:01Z"})
    await post(client, headers, notification(event="eta"))

    assert len(recorder.events) == 3


@pytest.mark.usefixtures("database")
async def test_a_cloud_event_may_wrap_the_notification(
    client: httpx.AsyncClient, headers: dict[str, str], recorder: Recorder
) -> None:
    wrapped = {"specversion": "1.0", "id": "e-1", "source": "budsim", "type": "t", "data": notification()}
    await post(client, headers, wrapped)
    await post(client, headers, wrapped | {"data": notification(event="other")})
    await post(client, headers, wrapped | {"source": "budeval"})

    assert [(event.id, event.source) for event in recorder.events] == [("e-1", "budsim"), ("e-1", "budeval")]


@pytest.mark.usefixtures("database")
async def test_a_cloud_event_may_carry_plain_data(
    client: httpx.AsyncClient, headers: dict[str, str], recorder: Recorder
) -> None:
    await post(client, headers, {"id": "e-2", "source": "s", "type": "credential_update", "data": {"hash": "h"}})

    assert recorder.events[0].data == {"hash": "h"}
    assert recorder.events[0].payload.type == "credential_update"


@pytest.mark.parametrize("payload", [{"category": "inapp"}, {"type": "nobody_knows"}, {"type": None}])
async def test_what_is_not_for_us_is_a_success_and_leaves_nothing(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    database: Database,
    recorder: Recorder,
    payload: dict[str, Any],
) -> None:
    answer = await post(client, headers, notification(**payload))

    assert answer["status"] == "SUCCESS"
    assert recorder.events == []
    assert await rows(database, InboxMessage) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        {},
        {"name": "n", "payload": {"category": "internal"}},
        {"name": "n", "payload": "text"},
        {"data": {}},
        {"data": {"payload": 1}},
    ],
)
async def test_what_is_no_event_is_dropped(
    client: httpx.AsyncClient, headers: dict[str, str], database: Database, recorder: Recorder, body: Any
) -> None:
    answer = await post(client, headers, body)

    assert answer["status"] == "DROP"
    assert await rows(database, InboxMessage) == 0


async def test_an_event_whose_handler_fails_is_kept_and_handled_a_little_later(
    client: httpx.AsyncClient, headers: dict[str, str], database: Database, handlers: EventHandlers, recorder: Recorder
) -> None:
    recorder.failures = 1
    kept = await post(client, headers, notification())
    again = await post(client, headers, notification())

    assert (kept["status"], "kept" in kept["message"]) == ("SUCCESS", True)
    assert "before" in again["message"]
    assert await rows(database, OutboxMessage) == 0

    await retry_events(database, handlers)
    assert len(recorder.events) == 1, "its time has not come yet"
    await due(database)
    await retry_events(database, handlers)
    await retry_events(database, handlers)
    assert [event.payload.content.result for event in recorder.events] == [{"url": "x"}] * 2
    assert await rows(database, OutboxMessage) == 1
    [message] = await kept_events(database)
    assert (message.next_attempt_at, message.payload, message.dead_at) == (None, None, None)


async def test_an_event_that_nobody_can_handle_is_set_aside_and_no_other_waits_for_it(
    client: httpx.AsyncClient, headers: dict[str, str], database: Database, handlers: EventHandlers, recorder: Recorder
) -> None:
    poison = Poison(recorder)
    handlers.add("perform_poison", Handler(poison, poison.give_up))
    for number in range(10):
        await post(client, headers, notification(type="perform_poison", workflow_id=str(number)))
    await post(client, headers, notification())
    assert len(recorder.events) == 1

    for _ in range(MAX_ATTEMPTS + 2):
        await due(database)
        await retry_events(database, handlers)
    messages = await kept_events(database)
    assert [message.attempts for message in messages if message.dead_at] == [MAX_ATTEMPTS] * 10
    assert len(poison.given_up) == 10
    assert {message.last_error for message in messages if message.dead_at} == {"ValueError('poison')"}
    assert await rows(database, OutboxMessage) == 1


async def test_an_event_that_the_process_dies_of_is_set_aside_too(
    database: Database, client: httpx.AsyncClient, headers: dict[str, str], handlers: EventHandlers, recorder: Recorder
) -> None:
    recorder.failures = 1
    await post(client, headers, notification())
    async with database.write() as session:
        await session.execute(update(InboxMessage).values(attempts=MAX_ATTEMPTS))

    await due(database)
    await retry_events(database, handlers)
    [message] = await kept_events(database)
    assert message.dead_at is not None
    assert len(recorder.events) == 1


async def test_an_operator_sees_what_was_set_aside_and_has_it_handled_again(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    database: Database,
    settings: Settings,
    handlers: EventHandlers,
    recorder: Recorder,
) -> None:
    recorder.failures = 1
    await post(client, headers, notification())
    async with database.write() as session:
        await session.execute(update(InboxMessage).values(dead_at=func.now(), next_attempt_at=None, attempts=6))

    shown = await inbox(settings, "list", "--payload")
    assert all(part in shown for part in ("deploy_model from budcluster", "6 attempts", "NotFound", "'url': 'x'"))
    assert "Events: 0" in await inbox(settings, "list", "--waiting")
    assert "again: 0" in await inbox(settings, "revive", "--type", "another")
    assert "again: 1" in await inbox(settings, "revive", "--type", "deploy_model")
    await retry_events(database, handlers)
    assert len(recorder.events) == 2
    assert "Events: 0" in await inbox(settings, "list")
    assert "deleted: 0" in await inbox(settings, "discard", str((await kept_events(database))[0].id))


async def test_the_same_event_many_times_at_once_has_one_effect(
    client: httpx.AsyncClient, headers: dict[str, str], database: Database, recorder: Recorder
) -> None:
    await asyncio.gather(*[post(client, headers, notification()) for _ in range(10)])

    assert len(recorder.events) == 1
    assert await rows(database, OutboxMessage) == 1


@pytest.mark.parametrize(("method", "path"), [("POST", "/notifications"), ("GET", "/dapr/subscribe")])
async def test_only_the_sidecar_may_call(client: httpx.AsyncClient, method: str, path: str) -> None:
    for headers in ({}, {"dapr-api-token": "wrong"}):
        assert (await client.request(method, path, headers=headers)).status_code == 403


async def test_the_sidecar_is_told_what_to_deliver(
    client: httpx.AsyncClient, headers: dict[str, str], settings: Settings
) -> None:
    response = await client.get("/dapr/subscribe", headers=headers)

    assert response.json() == [
        {
            "pubsubname": settings.pubsub_name,
            "topic": settings.app_topic,
            "route": "/notifications",
            "deadLetterTopic": settings.dead_letter_topic,
        }
    ]


async def test_a_published_event_comes_in_through_the_sidecar(
    sidecar: Sidecar, database: Database, handlers: EventHandlers, recorder: Recorder, settings: Settings
) -> None:
    recorder.failures = 1
    await sidecar.dapr.publish(settings.app_topic, notification())

    await until(lambda: _has(database, 1))
    await due(database)
    await retry_events(database, handlers)
    assert len(recorder.events) == 2
    assert len({event.id for event in recorder.events}) == 1


async def test_what_is_no_event_ends_in_the_dead_letter_topic(
    sidecar: Sidecar, database: Database, recorder: Recorder, settings: Settings
) -> None:
    await sidecar.dapr.publish(settings.app_topic, {"name": "broken"})

    async def arrived() -> bool:
        return bool(sidecar.peer.bodies("dead-letters"))

    await until(arrived)
    assert sidecar.peer.bodies("dead-letters")[0]["name"] == "broken"
    assert recorder.events == []


async def _has(database: Database, count: int) -> bool:
    return await rows(database, InboxMessage) == count


def test_a_type_has_one_handler() -> None:
    handlers = EventHandlers()
    handlers.add("x", Recorder())
    with pytest.raises(ValueError, match="x"):
        handlers.add("x", Recorder())


async def test_a_try_whose_event_another_replica_took_over_changes_nothing(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    database: Database,
    recorder: Recorder,
    handlers: EventHandlers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder.failures = 1
    await post(client, headers, notification())
    await due(database)
    claim = crud.claim_event

    async def claimed_too_long_ago(session: WriteSession, lease: timedelta) -> InboxMessage | None:
        found = await claim(session, lease)
        if found is not None:
            monkeypatch.undo()
            taken = update(InboxMessage).values(lock_token=uuid4(), next_attempt_at=None)
            await session.execute(taken.execution_options(synchronize_session=False))
        return found

    monkeypatch.setattr(crud, "claim_event", claimed_too_long_ago)
    await retry_events(database, handlers)
    assert len(recorder.events) == 1


async def test_a_handler_that_hangs_is_cut_off_and_its_event_kept(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    database: Database,
    handlers: EventHandlers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(_session: WriteSession, _event: Event) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("budapp.events.inbox.HANDLING_SECONDS", 0.1)
    handlers.add("deploy_model", hang)
    async with asyncio.timeout(5):
        await post(client, headers, notification())
    (kept,) = await kept_events(database)
    assert (kept.attempts, "Timeout" in (kept.last_error or "")) == (1, True)
