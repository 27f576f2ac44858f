"""The stand-in for budcluster, as far as it runs models: what it was asked for stays, answers, and goes."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from budapp.integrations.dapr import DaprClient, Peer
from tests.peers.conftest import Caller, Fields, StandIn, Topic
from tests.peers.test_quantization import cluster
from tests.stack import http_client

__all__ = ["cluster"]

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def http(stand_in: Callable[[str], StandIn]) -> httpx.AsyncClient:
    return stand_in("budcluster").http


@pytest.fixture
async def deployed(dapr: DaprClient, caller: Caller, topic: Topic, cluster: str) -> Fields:
    """The result of deploying a model on the cluster."""
    body = {"cluster_id": cluster, "endpoint_name": "chat", "model": "tiny-llama_1", "concurrency": 10}
    body["budaiscaler"] = {"enabled": True, "minReplicas": 2, "maxReplicas": 4}
    await dapr.invoke(Peer.BUDCLUSTER, "POST", "deployment", {**body, **caller.meta()})
    await topic.until_told("results")
    return dict((await topic.events())[-1]["payload"]["content"]["result"])


async def ask(result: Fields, **changes: Any) -> httpx.Response:
    async with http_client(result["result"]["deployment_url"]) as model:
        return await model.post("/v1/chat/completions", json={**QUESTION, **changes})


async def test_a_deployed_model_answers_with_as_many_workers_as_it_should_have(
    deployed: Fields, http: httpx.AsyncClient, cluster: str
) -> None:
    assert deployed["deployment_status"]["replicas"] == {"total": 2, "available": 2}
    [kept] = (await http.get("/control/deployments", params={"contains": cluster})).json()
    assert (kept["namespace"], kept["status"], len(kept["workers"])) == (deployed["namespace"], "ready", 2)
    answer = (await ask(deployed)).json()
    assert answer["choices"][0]["message"]["content"].endswith("Hello")
    assert answer["usage"]["total_tokens"] > 0
    assert (await ask(deployed, model="other")).status_code == 404


async def test_an_unhealthy_deployment_refuses_and_is_reported(
    deployed: Fields, topic: Topic, http: httpx.AsyncClient
) -> None:
    control = f"/control/deployments/{deployed['namespace']}"
    condition = {"status": "endpoints_failed", "reason": "The model was killed"}
    assert (await http.put(control, json=condition)).status_code == 200
    assert (await ask(deployed)).status_code == 503
    await http.post(f"{control}/status")
    event = (await topic.events())[-1]["payload"]
    assert event["type"] == "deployment-status-update"
    assert event["content"]["result"]["status"] == "endpoints_failed"
    assert (await http.put(control, json={"status": "ready"})).status_code == 200
    assert (await ask(deployed)).status_code == 200


async def test_a_deleted_deployment_is_gone(
    dapr: DaprClient, caller: Caller, topic: Topic, deployed: Fields, http: httpx.AsyncClient, cluster: str
) -> None:
    body = {"cluster_id": cluster, "namespace": deployed["namespace"], **caller.meta()}
    await dapr.invoke(Peer.BUDCLUSTER, "POST", "deployment/delete", body)
    await topic.until_told("delete_namespace")
    assert (await http.get("/control/deployments", params={"contains": cluster})).json() == []
    assert (await ask(deployed)).status_code == 404


async def test_a_deletion_leaves_what_was_made_known_after_it_was_asked_for(
    dapr: DaprClient, caller: Caller, topic: Topic, http: httpx.AsyncClient
) -> None:
    place, worker_id = {"cluster_id": str(uuid4()), "namespace": f"known-{uuid4()}"}, str(uuid4())
    known = {**place, "worker_ids": [worker_id]}
    await http.post("/control/deployments", json=known)
    await dapr.invoke(Peer.BUDCLUSTER, "POST", "deployment/delete", {**place, **caller.meta()})
    worker = {"worker_id": worker_id, **caller.meta()}
    await dapr.invoke(Peer.BUDCLUSTER, "DELETE", "deployment/worker-info", worker)
    await http.post("/control/deployments", json=known)
    await topic.until_told("delete_namespace")
    await topic.until_told("delete_worker", "FAILED")
    [kept] = (await http.get("/control/deployments", params={"contains": known["cluster_id"]})).json()
    assert [one["id"] for one in kept["workers"]] == [worker_id]


async def test_a_node_that_went_away_is_down_until_it_comes_back(
    dapr: DaprClient, http: httpx.AsyncClient, cluster: str
) -> None:
    async def up() -> list[bool]:
        answer = await dapr.invoke(Peer.BUDCLUSTER, "GET", f"cluster/{cluster}/nodes")
        return [node["status"] for node in answer["param"]["nodes"]]

    name = (await dapr.invoke(Peer.BUDCLUSTER, "GET", f"cluster/{cluster}/nodes"))["param"]["nodes"][0]["name"]
    assert all(await up())
    await http.put(f"/control/clusters/{cluster}/nodes/{name}", json={"status": False})
    assert (await up()).count(False) == 1
    await http.put(f"/control/clusters/{cluster}/nodes/{name}", json={"status": True})
    assert all(await up())
