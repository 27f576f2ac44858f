import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI
from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract

from budapp.commons.config import Settings
from budapp.commons.context import request_id
from budapp.commons.errors import Conflict, PeerFailed, Unavailable
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from tests.events.sidecar import Call, Daprd, Sidecar, free_port, run_sidecar
from tests.logs import Logged
from tests.waiting import until


@pytest.fixture(scope="module")
async def running(app: FastAPI, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sidecar]:
    async with run_sidecar(app, settings, tmp_path_factory.mktemp("daprd")) as sidecar:
        yield sidecar


@pytest.fixture
def sidecar(running: Sidecar) -> Sidecar:
    running.peer.forget()
    return running


@pytest.fixture
def path() -> str:
    """A path of the test's own: a sidecar may still be sending what an earlier test gave up."""
    return uuid4().hex


@pytest.fixture
async def nowhere(settings: Settings) -> AsyncIterator[DaprClient]:
    """A client whose sidecar is not there."""
    update = {"dapr_base_url": f"http://127.0.0.1:{free_port()}", "dapr_grpc_port": free_port()}
    dapr = DaprClient(settings.model_copy(update=update))
    yield dapr
    await dapr.close()


@pytest.fixture
async def absent(settings: Settings, tmp_path: Path) -> AsyncIterator[Daprd]:
    """A sidecar that has not been started."""
    daprd = Daprd(settings.model_copy(update={"bud_notify_app_id": "late"}), free_port(), tmp_path)
    yield daprd
    await daprd.kill()


@dataclass
class Standstill:
    seconds: float = 0


@asynccontextmanager
async def longest_standstill() -> AsyncIterator[Standstill]:
    """Measure for how long at most nothing else could run in the loop."""
    longest = Standstill()

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0)
            longest.seconds = max(longest.seconds, time.monotonic() - before)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    yield longest
    watching.cancel()


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


async def test_what_a_peer_repeats_of_a_request_is_not_logged(sidecar: Sidecar, logged: Logged) -> None:
    detail = [{"loc": ["body", "time"], "msg": "Field required", "input": {"password": "Tr0ub4dor"}}]
    sidecar.peer.answers["x"] = [{"object": "error", "detail": detail}]

    with pytest.raises(PeerFailed):
        await sidecar.dapr.invoke(sidecar.peer_id, "POST", "x")

    assert "Field required" in logged.text
    assert "Tr0ub4dor" not in logged.text


async def test_a_refusal_tells_the_peers_status_and_its_clear_words(sidecar: Sidecar) -> None:
    sidecar.peer.answers["x"] = [404]

    with pytest.raises(PeerRefused) as caught:
        await sidecar.dapr.invoke(sidecar.peer_id, "GET", "x")

    assert (caught.value.status, caught.value.peer_status) == (502, 404)
    assert caught.value.text == PeerFailed.message


@pytest.mark.parametrize("answer", [500, {"object": "error", "message": "psycopg2.OperationalError: at 10.0.0.3"}])
async def test_a_failure_is_502_without_the_peers_words(sidecar: Sidecar, path: str, answer: int) -> None:
    sidecar.peer.answers[path] = [answer]

    with pytest.raises(PeerFailed) as caught:
        await sidecar.dapr.invoke(sidecar.peer_id, "POST", path)

    assert caught.value.text == PeerFailed.message
    assert len(sidecar.peer.bodies(path)) == 1


@pytest.mark.parametrize(("method", "idempotent"), [("GET", None), ("DELETE", None), ("POST", True)])
async def test_what_may_be_asked_twice_is(sidecar: Sidecar, path: str, method: str, idempotent: bool | None) -> None:
    sidecar.peer.answers[path] = [503, 502, 200]

    await sidecar.dapr.invoke(sidecar.peer_id, method, path, idempotent=idempotent)

    assert len(sidecar.peer.bodies(path)) == 3


async def test_a_post_is_asked_once(sidecar: Sidecar, path: str) -> None:
    sidecar.peer.answers[path] = [503, 200]

    with pytest.raises(PeerFailed):
        await sidecar.dapr.invoke(sidecar.peer_id, "POST", path)

    assert len(sidecar.peer.bodies(path)) == 1


@pytest.mark.parametrize(("method", "again"), [("GET", True), ("POST", False)])
async def test_a_request_that_may_have_arrived_is_sent_again_only_where_that_does_no_harm(
    settings: Settings, method: str, again: bool
) -> None:
    arrived = []

    async def take_and_break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(take_and_break_off, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        dapr = DaprClient(settings.model_copy(update={"dapr_base_url": address}))
        with pytest.raises(Unavailable):
            await dapr.invoke("x", method, "x")
        await dapr.close()
    assert (len(arrived) > 1) is again


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
    with pytest.raises(Unavailable):
        await nowhere.get_state("x")
    assert not await nowhere.healthy()


async def test_a_sidecar_that_comes_up_late_is_found_and_the_loop_never_waits_for_it(
    absent: Daprd, settings: Settings
) -> None:
    """The SDK's own way to wait for a sidecar would stop everything else for up to a minute."""
    dapr = DaprClient(absent.settings(settings))
    async with longest_standstill() as standstill:
        with pytest.raises(Unavailable):
            await dapr.get_state("x")
        await absent.start(app_listens=False)
        await dapr.save_state("x", 1)
        assert (await dapr.get_state("x"))[0] == 1
    await dapr.close()
    assert standstill.seconds < 1


async def test_calls_under_way_fail_softly_when_the_sidecar_dies_and_go_on_when_it_is_back(
    absent: Daprd, settings: Settings
) -> None:
    await absent.start(app_listens=False)
    dapr = DaprClient(absent.settings(settings))
    outcomes: list[str] = []
    stopped = asyncio.Event()

    async def work(number: int) -> None:
        while not stopped.is_set():
            try:
                await (dapr.save_state(f"key-{number}", number) if number % 2 else dapr.publish("x", {}))
                outcomes.append("done")
            except Unavailable:
                outcomes.append("unavailable")
            await asyncio.sleep(0.005)

    async def seen(outcome: str) -> None:
        async def has_come() -> bool:
            return outcome in outcomes

        outcomes.clear()
        await until(has_come)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(work(number))
        await seen("done")
        await absent.kill()
        await seen("unavailable")
        await absent.start(app_listens=False)
        await seen("done")
        stopped.set()
    await dapr.save_state("after", 1)
    await dapr.close()


async def test_the_sidecar_is_healthy(sidecar: Sidecar) -> None:
    assert await sidecar.dapr.healthy()


async def test_an_event_goes_under_the_trace_that_it_belongs_to(sidecar: Sidecar) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    token = attach(extract({"traceparent": f"00-{trace}-b7ad6b7169203331-01"}))
    await sidecar.dapr.publish(sidecar.settings.dead_letter_topic, {"name": "bud-internal"})
    detach(token)

    async def arrived() -> bool:
        return bool(sidecar.peer.calls)

    await until(arrived)
    assert trace in sidecar.peer.calls[0].body["traceparent"]


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


async def test_a_first_write_leaves_what_is_there(sidecar: Sidecar) -> None:
    key = f"first-{uuid4()}"
    await sidecar.dapr.save_state(key, 1, first_write=True)
    with pytest.raises(Conflict):
        await sidecar.dapr.save_state(key, 2, first_write=True)
    assert (await sidecar.dapr.get_state(key))[0] == 1


@pytest.mark.parametrize("store", ["in memory", "of the stack"])
async def test_of_many_takers_at_once_one_gets_the_value(sidecar: Sidecar, settings: Settings, store: str) -> None:
    """Redis would let all of them delete it."""
    dapr = sidecar.dapr if store == "in memory" else DaprClient(settings)
    key = f"taken-{uuid4()}"
    await dapr.save_state(key, "token", ttl=timedelta(minutes=1))

    taken = await asyncio.gather(*(dapr.take_state(key) for _ in range(20)))

    assert [value for value in taken if value is not None] == ["token"]
    assert await dapr.take_state(key) is None
    assert (await dapr.get_state(key))[0] is None
    if dapr is not sidecar.dapr:
        await dapr.close()


async def test_state_ends_with_its_time(sidecar: Sidecar) -> None:
    await sidecar.dapr.save_state("short", 1, ttl=timedelta(seconds=1))
    assert (await sidecar.dapr.get_state("short"))[0] == 1

    await asyncio.sleep(1.2)
    assert await sidecar.dapr.get_state("short") == (None, None)
