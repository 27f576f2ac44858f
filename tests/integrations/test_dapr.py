import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from io import StringIO

import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.context import request_id
from budapp.commons.errors import Conflict, PeerFailed, Unavailable
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from tests.events.sidecar import Call, Sidecar, free_port, run_sidecar, until


@pytest.fixture(scope="module")
async def running(app: FastAPI, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sidecar]:
    async with run_sidecar(app, settings, tmp_path_factory.mktemp("daprd")) as sidecar:
        yield sidecar


@pytest.fixture
def sidecar(running: Sidecar) -> Sidecar:
    running.peer.forget()
    return running


@pytest.fixture
async def nowhere(settings: Settings) -> AsyncIterator[DaprClient]:
    """A client whose sidecar is not there."""
    url = f"http://127.0.0.1:{free_port()}"
    dapr = DaprClient(settings.model_copy(update={"dapr_base_url": url}))
    yield dapr
    await dapr.close()


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """What the service logs during the test."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger("budapp").addHandler(handler)
    yield stream
    logging.getLogger("budapp").removeHandler(handler)


async def test_a_call_carries_body_query_and_request_id(sidecar: Sidecar) -> None:
    token = request_id.set("request-1")
    answer = await sidecar.dapr.invoke(
        Peer.BUDNOTIFY, "POST", "a/path with space", {"x": 1}, params={"many": "2", "none": None}
    )
    request_id.reset(token)

    (call,) = sidecar.peer.calls
    assert answer == {"object": "info"}
    assert (call.method, call.path, call.query, call.body) == ("POST", "a/path with space", {"many": "2"}, {"x": 1})
    assert call.headers["x-request-id"] == "request-1"
    assert call.headers["dapr-api-token"] == sidecar.settings.app_api_token.get_secret_value()


async def test_files_go_as_multipart(sidecar: Sidecar) -> None:
    files = {"configuration": ("kubeconfig.yaml", b"kind: Config", "application/yaml")}
    await sidecar.dapr.invoke(sidecar.peer_id, "POST", "cluster", data={"name": "one"}, files=files)

    (call,) = sidecar.peer.calls
    assert call.headers["content-type"].startswith("multipart/form-data")
    assert b"kind: Config" in call.body


async def test_what_a_peer_repeats_of_a_request_is_not_logged(sidecar: Sidecar, logged: StringIO) -> None:
    detail = [{"loc": ["body", "time"], "msg": "Field required", "input": {"password": "Tr0ub4dor"}}]
    sidecar.peer.answers["x"] = [{"object": "error", "detail": detail}]

    with pytest.raises(PeerFailed):
        await sidecar.dapr.invoke(sidecar.peer_id, "POST", "x")

    assert "Field required" in logged.getvalue()
    assert "Tr0ub4dor" not in logged.getvalue()


async def test_a_refusal_tells_the_peers_status_and_its_clear_words(sidecar: Sidecar) -> None:
    sidecar.peer.answers["x"] = [404]

    with pytest.raises(PeerRefused) as caught:
        await sidecar.dapr.invoke(sidecar.peer_id, "GET", "x")

    assert (caught.value.status, caught.value.peer_status) == (502, 404)
    assert caught.value.text == PeerFailed.message


@pytest.mark.parametrize("answer", [500, {"object": "error", "message": "psycopg2.OperationalError: at 10.0.0.3"}])
async def test_a_failure_is_502_without_the_peers_words(sidecar: Sidecar, answer: int) -> None:
    sidecar.peer.answers["x"] = [answer]

    with pytest.raises(PeerFailed) as caught:
        await sidecar.dapr.invoke(sidecar.peer_id, "POST", "x")

    assert caught.value.text == PeerFailed.message
    assert len(sidecar.peer.calls) == 1


@pytest.mark.parametrize(("method", "idempotent"), [("GET", None), ("DELETE", None), ("POST", True)])
async def test_what_may_be_asked_twice_is(sidecar: Sidecar, method: str, idempotent: bool | None) -> None:
    sidecar.peer.answers["x"] = [503, 502, 200]

    await sidecar.dapr.invoke(sidecar.peer_id, method, "x", idempotent=idempotent)

    assert len(sidecar.peer.calls) == 3


async def test_a_post_is_asked_once(sidecar: Sidecar) -> None:
    sidecar.peer.answers["x"] = [503, 200]

    with pytest.raises(PeerFailed):
        await sidecar.dapr.invoke(sidecar.peer_id, "POST", "x")

    assert len(sidecar.peer.calls) == 1


async def test_a_peer_that_takes_too_long_is_unavailable(sidecar: Sidecar) -> None:
    async def sleep(_call: Call) -> None:
        await asyncio.sleep(1)

    sidecar.peer.delay = sleep
    started = time.monotonic()

    with pytest.raises(Unavailable):
        await sidecar.dapr.invoke(sidecar.peer_id, "GET", "x", timeout=0.3)

    assert time.monotonic() - started < 0.9


async def test_a_peer_that_is_not_there_is_unavailable(sidecar: Sidecar) -> None:
    with pytest.raises(Unavailable):
        await sidecar.dapr.invoke("nobody-of-this-name", "POST", "x")


async def test_without_a_sidecar_all_is_unavailable(nowhere: DaprClient) -> None:
    with pytest.raises(Unavailable):
        await nowhere.invoke("x", "POST", "x")
    with pytest.raises(Unavailable):
        await nowhere.publish("x", {})
    assert not await nowhere.healthy()


async def test_the_sidecar_is_healthy(sidecar: Sidecar) -> None:
    assert await sidecar.dapr.healthy()


async def test_an_event_is_published_flat(sidecar: Sidecar) -> None:
    body = {"name": "bud-internal", "payload": {"category": "internal", "type": "workflow_completed"}}
    await sidecar.dapr.publish(sidecar.settings.dead_letter_topic, body)

    async def arrived() -> bool:
        return bool(sidecar.peer.calls)

    await until(arrived)
    received = sidecar.peer.calls[0].body
    assert "data" not in received
    assert "id" not in received
    assert received["payload"] == body["payload"]
    assert (received["type"], received["source_topic"]) == ("workflow_completed", sidecar.settings.app_topic)
    assert received["time"]


async def test_publishing_on_an_unknown_pubsub_is_unavailable(sidecar: Sidecar) -> None:
    dapr = DaprClient(sidecar.settings.model_copy(update={"pubsub_name": "no-such"}))

    with pytest.raises(Unavailable):
        await dapr.publish("x", {})
    await dapr.close()


async def test_state_is_kept_changed_and_deleted(sidecar: Sidecar) -> None:
    dapr = sidecar.dapr
    assert await dapr.get_state("key/1") == (None, None)

    await dapr.save_state("key/1", {"x": [1]})
    value, etag = await dapr.get_state("key/1")
    assert value == {"x": [1]}
    await dapr.save_state("key/1", 2, etag=etag)
    with pytest.raises(Conflict):
        await dapr.save_state("key/1", 3, etag=etag)
    assert (await dapr.get_state("key/1"))[0] == 2

    await dapr.delete_state("key/1")
    await dapr.delete_state("key/1")
    assert await dapr.get_state("key/1") == (None, None)


async def test_state_ends_with_its_time(sidecar: Sidecar) -> None:
    await sidecar.dapr.save_state("short", 1, ttl=timedelta(seconds=1))
    assert (await sidecar.dapr.get_state("short"))[0] == 1

    await asyncio.sleep(1.2)
    assert await sidecar.dapr.get_state("short") == (None, None)
