"""The stand-in for budeval: scores by deployment and dataset, and the events that tell of them."""

from typing import Any
from uuid import uuid4

import pytest

from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from tests.peers.conftest import Caller, Fields, StandIn, Topic, stand_in

__all__ = ["stand_in"]


async def start(dapr: DaprClient, caller: Caller, *datasets: str, **changes: Any) -> Fields:
    body = {
        "eval_id": str(uuid4()),
        "experiment_id": str(uuid4()),
        "eval_model_info": {"model_name": "tiny", "endpoint": "http://x/v1", "api_key": "k", "extra_args": {}},
        "eval_datasets": [{"dataset_id": name, "run_id": str(uuid4())} for name in datasets],
    }
    return dict(await dapr.invoke(Peer.BUDEVAL, "POST", "evals/start", {**body, **caller.meta(), **changes}))


async def results(topic: Topic) -> list[Fields]:
    await topic.until_told("results")
    payloads = [event["payload"] for event in await topic.events()]
    [found] = [payload["content"]["result"]["results"] for payload in payloads if payload["event"] == "results"]
    return list(found)


async def test_datasets_have_scores_that_are_always_the_same(dapr: DaprClient, caller: Caller, topic: Topic) -> None:
    answer = await start(dapr, caller, "mmlu_gen", "gsm8k_gen", "fails_gen", "silent_gen")
    assert [step["id"] for step in answer["steps"]] == [
        "verify_cluster_connection",
        "preparing_eval_engine",
        "deploy_eval_job",
        "monitor_eval_job_progress",
    ]
    mmlu, gsm8k, failed = await results(topic)
    assert (mmlu["status"], failed["status"], failed["scores"]) == ("success", "error", [])
    assert mmlu["scores"][0]["metric"] == "accuracy"
    assert 40 <= mmlu["scores"][0]["score"] <= 95
    assert mmlu["scores"][0]["score"] != gsm8k["scores"][0]["score"]
    steps = await topic.steps()
    assert steps[0] == ("evaluate_model_status", "STARTED")
    assert steps[-2:] == [("evaluate_model_status", "COMPLETED"), ("results", "COMPLETED")]


async def test_a_score_can_be_set(dapr: DaprClient, caller: Caller, topic: Topic, stand_in: Any) -> None:
    peer: StandIn = stand_in("budeval")
    name = f"set_{uuid4().hex}"
    assert (await peer.http.put(f"/control/scores/{name}", json={"score": 12.5})).status_code == 200
    await start(dapr, caller, name)
    [only] = await results(topic)
    assert only["scores"][0]["score"] == 12.5


async def test_datasets_that_can_all_not_be_run_fail_the_work(dapr: DaprClient, caller: Caller, topic: Topic) -> None:
    await start(dapr, caller, "fails_gen")
    await topic.until_told("monitor_eval_job_progress", "FAILED")
    assert ("results", "COMPLETED") not in await topic.steps()


@pytest.mark.parametrize("changes", [{"experiment_id": None}, {"odd": 1}, {"eval_datasets": [{}]}], ids=str)
async def test_what_the_service_does_not_take_is_refused(dapr: DaprClient, caller: Caller, changes: Fields) -> None:
    with pytest.raises(PeerRefused):
        await start(dapr, caller, "mmlu_gen", **changes)


async def test_an_evaluation_of_nothing_is_refused(dapr: DaprClient, caller: Caller) -> None:
    with pytest.raises(PeerRefused):
        await start(dapr, caller)
