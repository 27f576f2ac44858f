"""What stand-ins can be told to do wrong: in their answers over the sidecars, and in the events that they send."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from budapp.commons.errors import PeerFailed, Unavailable
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from tests.peers.conftest import Caller, StandIn, Topic
from tests.peers.test_budmodel import EXTRACTION, extract
from tests.waiting import until

DONE = [(step, status) for step in EXTRACTION for status in ("STARTED", "COMPLETED")]


@pytest.fixture
def budmodel(stand_in: Callable[[str], StandIn]) -> StandIn:
    return stand_in("budmodel")


async def cloud_model(dapr: DaprClient, uri: str, **options: Any) -> Any:
    return await dapr.invoke(Peer.BUDMODEL, "POST", "model-info/cloud-model/extract", {"model_uri": uri}, **options)


async def test_a_request_can_be_refused_with_any_body(dapr: DaprClient, budmodel: StandIn) -> None:
    uri = f"a/{uuid4()}"
    answer = {"object": "error", "message": "No such model in this cloud", "type": "NotFound", "param": None}
    await budmodel.does_wrong(uri, status=404, answer=answer)
    with pytest.raises(PeerRefused, match="No such model in this cloud") as refused:
        await cloud_model(dapr, uri)
    assert refused.value.peer_status == 404


@pytest.mark.parametrize("status", [500, 200])
async def test_a_request_can_fail_and_then_work_again(dapr: DaprClient, budmodel: StandIn, status: int) -> None:
    uri = f"a/{uuid4()}"
    await budmodel.does_wrong(uri, status=status, times=2)
    for _ in range(2):
        with pytest.raises(PeerFailed):
            await cloud_model(dapr, uri)
    assert (await cloud_model(dapr, uri))["model_info"]["uri"] == uri
    assert len(await budmodel.requests(uri)) == 3


async def test_a_request_can_hang(dapr: DaprClient, budmodel: StandIn) -> None:
    uri = f"a/{uuid4()}"
    await budmodel.does_wrong(uri, hang=True, times=1)
    with pytest.raises(Unavailable):
        await cloud_model(dapr, uri, timeout=0.5)
    assert await cloud_model(dapr, uri)


async def test_an_answer_can_be_late(dapr: DaprClient, budmodel: StandIn) -> None:
    uri, began = f"a/{uuid4()}", time.monotonic()
    await budmodel.does_wrong(uri, delay_seconds=0.4, times=1)
    await cloud_model(dapr, uri)
    assert time.monotonic() - began >= 0.4


async def test_an_answer_can_be_lost_while_the_work_goes_on(
    dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic
) -> None:
    await budmodel.does_wrong(caller.workflow_id, status=500, but_do_it=True, times=1)
    with pytest.raises(PeerFailed):
        await extract(dapr, caller)
    await topic.until_told("results")


async def test_an_answer_can_come_after_the_events(
    dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic
) -> None:
    await budmodel.does_wrong(caller.workflow_id, delay_seconds=1, but_do_it=True)
    asking = asyncio.create_task(extract(dapr, caller))
    await topic.until_told("validation", "STARTED")
    assert not asking.done()
    assert (await asking)["workflow_name"] == "perform_model_extraction"


@pytest.mark.parametrize("step", ["model_extraction", "3"])
async def test_work_can_fail_at_a_step(
    dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic, step: str
) -> None:
    await budmodel.does_wrong(caller.workflow_id, fail_at=step, message="The disk is full")
    await extract(dapr, caller)
    await topic.until_told("model_extraction", "FAILED")
    assert await topic.steps() == [*DONE[:5], ("model_extraction", "FAILED")]
    assert "The disk is full" in (await topic.events())[-1]["payload"]["content"]["message"]

    async def ended() -> bool:
        return bool((await budmodel.work(caller.workflow_id))["status"] == "FAILED")

    await until(ended)
    assert len(await topic.steps()) == 6


async def test_work_can_go_silent(dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic) -> None:
    await budmodel.does_wrong(caller.workflow_id, silent_from="model_download", times=1)
    work = (await extract(dapr, caller))["workflow_id"]

    async def ended() -> bool:
        return bool((await budmodel.work(work))["status"] == "COMPLETED")

    await until(ended)
    assert await topic.steps() == DONE[:2]


@pytest.mark.parametrize(("how", "times"), [("publish", 2), ("delivery", 1)])
async def test_each_event_can_come_twice(
    dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic, how: str, times: int
) -> None:
    await budmodel.does_wrong(caller.workflow_id, duplicate=how)
    await extract(dapr, caller)
    await topic.until_count(2 * 13)
    assert await topic.steps() == [told for one in [*DONE, ("results", "COMPLETED")] for told in (one, one)]
    first, second = (await topic.events())[:2]
    assert first["payload"] == second["payload"]
    assert len({first["time"], second["time"]}) == times


async def test_events_can_come_in_another_order(
    dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic
) -> None:
    await budmodel.does_wrong(caller.workflow_id, reorder="reverse")
    await extract(dapr, caller)
    await topic.until_count(13)
    assert await topic.steps() == [*DONE, ("results", "COMPLETED")][::-1]
    assert (await topic.events())[0]["payload"]["content"]["result"]["local_path"]


async def test_neighbouring_events_can_change_places(
    dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic
) -> None:
    await budmodel.does_wrong(caller.workflow_id, reorder="swap")
    await extract(dapr, caller)
    await topic.until_count(13)
    told = await topic.statuses()
    assert told[:2] == [("eta", "RUNNING"), ("validation", "STARTED")]
    assert sorted(set(told)) == sorted({*DONE, ("eta", "RUNNING"), ("results", "COMPLETED")})


async def test_events_can_be_late(dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic) -> None:
    await budmodel.does_wrong(caller.workflow_id, event_delay_seconds=0.5)
    await extract(dapr, caller)
    await asyncio.sleep(0.3)
    assert await topic.events() == []
    await topic.until_count(1)


async def test_the_longest_match_counts_and_one_fault_can_be_taken_back(dapr: DaprClient, budmodel: StandIn) -> None:
    uri = f"a/{uuid4()}"
    await budmodel.does_wrong(uri[:20], status=500)
    await budmodel.does_wrong(uri, status=404)
    with pytest.raises(PeerRefused):
        await cloud_model(dapr, uri)
    await budmodel.http.delete("/control/faults", params={"contains": uri})
    with pytest.raises(PeerFailed):
        await cloud_model(dapr, uri)
    await budmodel.http.delete("/control/faults", params={"contains": uri[:20]})
    assert await cloud_model(dapr, uri)


async def test_a_mistake_in_a_fault_is_told(budmodel: StandIn) -> None:
    answer = await budmodel.http.post("/control/faults", json={"contains": "x", "fail": "yes"})
    assert answer.status_code == 422


async def test_a_person_sees_requests_and_work_on_a_page(
    dapr: DaprClient, budmodel: StandIn, caller: Caller, topic: Topic
) -> None:
    name = f"<b>{uuid4()}</b>"
    await extract(dapr, caller, model_name=name)
    await topic.until_told("results")
    shown = (await budmodel.http.get("/")).text
    assert caller.workflow_id in shown
    assert "Saved the model to the registry" in shown
    assert name not in shown
