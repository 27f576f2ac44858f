import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from budapp.commons.config import Settings
from budapp.commons.database import Database, WriteSession
from budapp.commons.errors import NotFound
from budapp.events.dispatch import EventHandlers
from budapp.events.models import InboxMessage, OutboxMessage
from budapp.events.outbox import enqueue_publish
from budapp.events.schemas import Event
from tests.events.sidecar import Sidecar, until


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


async def test_a_handler_that_fails_leaves_nothing_and_has_the_event_again(
    client: httpx.AsyncClient, headers: dict[str, str], database: Database, recorder: Recorder
) -> None:
    recorder.failures = 1
    response = await client.post("/notifications", json=notification(), headers=headers)

    assert response.status_code == 500
    assert await rows(database, InboxMessage) == 0
    assert await rows(database, OutboxMessage) == 0

    await post(client, headers, notification())
    assert await rows(database, InboxMessage) == 1
    assert await rows(database, OutboxMessage) == 1


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
    sidecar: Sidecar, database: Database, recorder: Recorder, settings: Settings
) -> None:
    recorder.failures = 2
    await sidecar.dapr.publish(settings.app_topic, notification())

    await until(lambda: _has(database, 1))
    assert len(recorder.events) == 3
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
