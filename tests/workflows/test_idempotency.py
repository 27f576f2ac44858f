"""Posts with an `Idempotency-Key` that open workflows: each key one workflow, whoever dies in between."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.replicas import Replica
from tests.waiting import until
from tests.workflows.conftest import LOCAL, Bench

Json = dict[str, Any]


def all_at_once(name: str) -> Json:
    """A post that opens a workflow, says everything, and triggers."""
    facts = {"provider_type": "hugging_face", "name": name, "uri": f"acme/{name}", "author": "acme", "tags": []}
    return {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": True, **facts}


def keyed(bench: Bench, key: str) -> dict[str, str]:
    return {**bench.person.headers, "Idempotency-Key": key}


async def post(bench: Bench, key: str, body: Json) -> httpx.Response:
    return await bench.http.post(LOCAL, json=body, headers=keyed(bench, key))


async def workflows(bench: Bench) -> int:
    return int((await bench.sql("select count(*) from workflow"))[0][0])


@pytest.fixture
def name() -> str:
    return f"Keyed-{uuid4().hex[:8]}-7b"


async def test_a_post_that_comes_again_is_answered_as_before(bench: Bench, name: str) -> None:
    first, second = [await post(bench, "k", all_at_once(name)) for _ in range(2)]
    assert (first.status_code, second.headers["Idempotent-Replayed"]) == (200, "true")
    assert first.content == second.content
    assert await workflows(bench) == 1


async def test_many_that_wait_for_a_slow_service_leave_room_for_others(
    bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.settings, "workflow_ask_seconds", 120)
    count = bench.settings.psql_pool_size + 5
    await bench.peer.does_wrong(name, hang=True)
    bodies = [all_at_once(f"{name}-{number}") for number in range(count)]
    waiting = [asyncio.create_task(post(bench, f"k{number}", body)) for number, body in enumerate(bodies)]

    async def all_asked() -> bool:
        return len(await bench.peer.requests(name)) >= count

    await until(all_asked)
    await bench.draft()
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_process_that_dies_while_it_asks_leaves_one_workflow(bench: Bench, replica: Replica, name: str) -> None:
    await bench.peer.does_wrong(name, hang=True)
    body = all_at_once(name)
    asking = asyncio.create_task(replica.http.post(LOCAL, json=body, headers=keyed(bench, "k")))

    async def has_asked() -> bool:
        return len(await bench.peer.requests(name)) > 0

    await until(has_asked)
    replica.kill()
    with pytest.raises(httpx.TransportError):
        await asking
    assert (await post(bench, "k", body)).status_code == 409
    await bench.sql("update idempotency_record set lock_expires_at = now() - interval '1 second'")
    again = await post(bench, "k", body)
    assert (again.status_code, again.json()["status"]) == (200, "in_progress")
    assert again.json()["workflow_id"] == str((await bench.sql("select id from workflow"))[0][0])
    assert await workflows(bench) == 1
    assert len(await bench.peer.requests(name)) == 1, "the service is not asked twice"


async def test_a_process_that_dies_is_answered_for_after_the_reconciler_has_given_up(
    bench: Bench, replica: Replica, name: str
) -> None:
    await bench.peer.does_wrong(name, hang=True)
    body = all_at_once(name)
    asking = asyncio.create_task(replica.http.post(LOCAL, json=body, headers=keyed(bench, "k")))

    async def has_asked() -> bool:
        return len(await bench.peer.requests(name)) > 0

    await until(has_asked)
    replica.kill()
    with pytest.raises(httpx.TransportError):
        await asking
    await bench.sql("update idempotency_record set lock_expires_at = now() - interval '1 second'")
    await bench.sql("update workflow_attempt set lease_expires_at = now() - interval '1 second'")
    await bench.reconcile()
    again = await post(bench, "k", body)
    assert (again.status_code, again.json()["status"], await workflows(bench)) == (200, "failed", 1)
    assert "Interrupted" in again.json()["reason"]


async def test_what_a_service_has_refused_is_tried_again_in_the_same_workflow(bench: Bench, name: str) -> None:
    await bench.peer.does_wrong(name, status=422, times=1)
    assert (await post(bench, "k", all_at_once(name))).status_code == 400
    again = await post(bench, "k", all_at_once(name))
    assert (again.status_code, await workflows(bench)) == (200, 1)
    assert [row[0] for row in await bench.sql("select state from workflow_attempt order by number")] == [
        "failed",
        "running",
    ]


async def test_a_retry_that_comes_again_asks_once(bench: Bench, name: str) -> None:
    await bench.peer.does_wrong(name, status=422, times=1)
    assert (await post(bench, "k", all_at_once(name))).status_code == 400
    workflow_id = (await bench.sql("select id from workflow"))[0][0]
    path = f"/workflows/{workflow_id}/retry"
    answers = [await bench.http.post(path, headers=keyed(bench, "again")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(await bench.sql("select id from workflow_attempt")) == 2
