"""The stand-ins for budsim and budcluster, as far as a quantization goes."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from tests.peers.conftest import Caller, Fields, StandIn, Topic
from tests.peers.test_budmodel import size_of

STEPS = [
    "verify_cluster_connection",
    "transfer_model_to_cluster",
    "deploy_quantization_job",
    "running_quantization",
    "run_evaluation",
]


@pytest.fixture
async def cluster(stand_in: Callable[[str], StandIn]) -> AsyncIterator[str]:
    """A cluster that budcluster knows of."""
    http, cluster_id = stand_in("budcluster").http, str(uuid4())
    answer = await http.post("/control/clusters", json={"id": cluster_id})
    assert answer.status_code == 200, answer.text
    yield cluster_id
    await http.delete(f"/control/clusters/{cluster_id}")


async def simulate(dapr: DaprClient, caller: Caller, **changes: Any) -> Fields:
    body = {
        "pretrained_model_uri": "tiny-llama_1",
        "is_proprietary_model": False,
        "input_tokens": 100,
        "output_tokens": 100,
        "concurrency": 1,
        "is_quantization": True,
        "quantization_method": "RTN",
    }
    return dict(await dapr.invoke(Peer.BUDSIM, "POST", "simulator/run", {**body, **caller.meta(), **changes}))


async def quantize(dapr: DaprClient, caller: Caller, cluster: str, **changes: Any) -> Fields:
    body = {
        "cluster_id": cluster,
        "simulator_id": str(uuid4()),
        "model": "tiny-llama_1",
        "model_size": 16_000_000_000,
        "device_type": "CUDA",
        "quantization_name": f"Tiny {uuid4()}",
        "quantization_config": {"weight": {"bit": 8}, "activation": {"bit": 8}},
    }
    path = "deployment/deploy-quantization"
    return dict(await dapr.invoke(Peer.BUDCLUSTER, "POST", path, {**body, **caller.meta(), **changes}))


async def test_a_simulation_recommends_the_clusters_that_there_are(
    dapr: DaprClient, caller: Caller, topic: Topic, cluster: str
) -> None:
    answer = await simulate(dapr, caller)
    assert [step["id"] for step in answer["steps"]] == ["validation", "performance_estimation", "ranking"]
    await topic.until_told("results")
    told = await topic.steps()
    assert told[:3] == [("validation", "STARTED"), ("validation", "COMPLETED"), ("performance_estimation", "STARTED")]
    assert told[3:5] == [("performance_estimation", "RUNNING"), ("performance_estimation", "COMPLETED")]
    result = (await topic.events())[-1]["payload"]["content"]["result"]
    assert result["workflow_id"] == answer["workflow_id"]
    ours = next(one for one in result["recommendations"] if one["cluster_id"] == cluster)
    assert ours["quantized_metrics"]["cost_per_million_tokens"] < ours["metrics"]["cost_per_million_tokens"]
    query = {"workflow_id": answer["workflow_id"], "cluster_id": cluster, "limit": 20}
    page = await dapr.invoke(Peer.BUDSIM, "GET", "simulator/recommendations", params=query)
    assert page["items"] == [ours]
    assert (page["total_items"], page["total_pages"]) == (1, 1)


async def test_a_simulation_for_a_cluster_that_nobody_knows_fails(
    dapr: DaprClient, caller: Caller, topic: Topic
) -> None:
    await simulate(dapr, caller, cluster_id=str(uuid4()))
    await topic.until_told("validation", "FAILED")
    content = (await topic.events())[-1]["payload"]["content"]
    assert content["title"] == "The cluster is not available"
    assert content["primary_action"] == "retry"


async def test_a_simulation_of_a_deployment_needs_targets(dapr: DaprClient, caller: Caller) -> None:
    with pytest.raises(PeerRefused) as refused:
        await simulate(dapr, caller, is_quantization=False)
    assert refused.value.peer_status == 422


async def test_a_quantization_goes_through_its_steps_and_stores_the_model(
    dapr: DaprClient, caller: Caller, topic: Topic, cluster: str
) -> None:
    answer = await quantize(dapr, caller, cluster)
    assert [step["id"] for step in answer["steps"]] == [*STEPS, "upload_model_to_registry"]
    await topic.until_told("results")
    told = [(step, "COMPLETED") for step in STEPS]
    assert await topic.steps() == [*told[:4], ("run_evaluation", "RUNNING"), told[4], ("results", "COMPLETED")]
    event = (await topic.events())[-1]
    assert event["payload"]["source"] == "budcluster"
    result = event["payload"]["content"]["result"]
    assert result["quantization_data"]["quantized_size"] == 8_000_000_000
    assert await size_of(result["model_path"]) > 0


async def test_a_quantization_in_a_cluster_that_nobody_knows_fails(
    dapr: DaprClient, caller: Caller, topic: Topic
) -> None:
    await quantize(dapr, caller, str(uuid4()))
    await topic.until_told("verify_cluster_connection", "FAILED")
    assert (await topic.events())[-1]["payload"]["content"]["message"] == "Cluster not found"


async def test_nothing_more_is_told_of_work_that_was_cancelled(
    dapr: DaprClient, caller: Caller, topic: Topic, cluster: str, stand_in: Callable[[str], StandIn]
) -> None:
    await stand_in("budcluster").does_wrong(caller.workflow_id, event_delay_seconds=0.5, times=1)
    work = (await quantize(dapr, caller, cluster))["workflow_id"]
    cancel = f"deployment/cancel/{work}"
    assert (await dapr.invoke(Peer.BUDCLUSTER, "POST", cancel))["object"] == "info"
    assert (await stand_in("budcluster").work(work))["status"] == "TERMINATED"
    assert await topic.events() == []
    with pytest.raises(PeerRefused) as refused:
        await dapr.invoke(Peer.BUDCLUSTER, "POST", cancel)
    assert refused.value.peer_status == 404
