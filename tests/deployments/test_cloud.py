"""Deploying a model that a provider's cloud runs: at once, and without a cluster."""

from typing import Any
from uuid import uuid4

import pytest

from tests.cast import Cast
from tests.deployments.conftest import LOAD, PATH, Ground
from tests.projects.data import messages
from tests.provider_credentials.test_provider_credentials import keep
from tests.workflows.test_cloud_model import draft, finish, offered


@pytest.fixture
async def cloud_model(ground: Ground) -> str:
    """A model of openai's in the repository."""
    workflow_id = await draft(ground.bench, await offered(ground.bench))
    done = await finish(ground.bench, workflow_id, "My GPT")
    return str(done["workflow_steps"]["model_id"])


@pytest.fixture
async def key(ground: Ground) -> str:
    """What openai knows the tenant by."""
    return str((await keep(ground.bench.http, ground.bench.person))["id"])


def all_at_once(ground: Ground, model_id: str, key: str, **more: Any) -> dict[str, Any]:
    named = {"endpoint_name": "gpt", "deploy_config": LOAD, "credential_id": key, **more}
    begun = {"step_number": 1, "workflow_total_steps": 1, "trigger_workflow": True}
    return {**begun, "project_id": ground.project_id, "model_id": model_id, **named}


async def test_a_cloud_model_is_deployed_at_once(ground: Ground, cloud_model: str, key: str) -> None:
    done = await ground.bench.post(PATH, **all_at_once(ground, cloud_model, key))
    assert (done["status"], done["current_step"]) == ("completed", 2)
    [endpoint] = await ground.endpoints()
    shown = done["workflow_steps"]["budserve_cluster_events"]
    assert (shown["status"], shown["endpoint_id"]) == ("completed", endpoint["id"])
    assert done["progress"] == {"endpoint_id": endpoint["id"], "url": endpoint["url"]}
    assert (endpoint["status"], endpoint["cluster_id"], endpoint["total_replicas"]) == ("running", None, 1)
    assert (endpoint["url"], endpoint["namespace"]) == ("budproxy-service.svc.cluster.local", "gpt-4o")
    cost = endpoint["inference_cost"]
    assert cost["input_cost_per_token"] == "0.0000025"
    assert cost["output_cost_per_token"] == "0.00001"
    assert endpoint["credential_id"] == key
    assert await ground.budcluster.requests(endpoint["id"]) == []


async def test_the_steps_of_the_browser_deploy_a_cloud_model(ground: Ground, cloud_model: str, key: str) -> None:
    workflow_id = await ground.begun(model_id=cloud_model)
    chosen = await ground.step(2, workflow_id, credential_id=key)
    assert chosen["workflow_steps"]["credential"]["id"] == key
    missing = await ground.step(4, workflow_id, 400, endpoint_name="gpt", trigger_workflow=True)
    assert "deploy_config" in missing["message"]
    done = await ground.step(4, workflow_id, endpoint_name="gpt", deploy_config=LOAD, trigger_workflow=True)
    assert (done["status"], done["current_step"]) == ("completed", 5)
    assert done["workflow_steps"]["project"]["id"] == ground.project_id
    await ground.step(4, workflow_id, 400, trigger_workflow=True)
    again = await ground.bench.post(PATH, 409, **all_at_once(ground, cloud_model, key, endpoint_name="GPT"))
    assert again["param"] == "endpoint_name"


async def test_a_cloud_deployment_is_deleted_at_once(ground: Ground, cloud_model: str, key: str) -> None:
    await ground.bench.post(PATH, **all_at_once(ground, cloud_model, key))
    [endpoint] = await ground.endpoints()
    answer = await ground.bench.call("POST", f"/endpoints/{endpoint['id']}/delete-workflow")
    assert answer["object"] == "endpoint.delete"
    assert (await ground.bench.get(answer["workflow_id"]))["status"] == "completed"
    assert (await ground.endpoints())[0]["status"] == "deleted"
    told = [body["payload"]["type"] for _, body in await messages(ground.bench.database)]
    assert told[-1] == "deployment_deletion_success"
    workers = f"/endpoints/{endpoint['id']}/workers"
    await ground.bench.call("GET", workers, 404)
    assert (await ground.bench.post(PATH, **all_at_once(ground, cloud_model, key)))["status"] == "completed"
    live = (await ground.endpoints())[1]
    assert (await ground.bench.call("GET", f"/endpoints/{live['id']}/workers"))["total_record"] == 0
    scaler = {"budaiscaler_specification": {"enabled": True}}
    await ground.bench.call("PUT", f"/endpoints/{live['id']}/autoscale", 400, json=scaler)


async def test_the_credential_must_be_the_tenants_own_and_the_providers(
    ground: Ground, cloud_model: str, cast: Cast
) -> None:
    bench = ground.bench
    foreign = (await keep(bench.http, cast.other_admin))["id"]
    for credential_id, status in ((str(uuid4()), 404), (foreign, 404)):
        refused = await bench.post(PATH, status, **all_at_once(ground, cloud_model, credential_id))
        assert refused["param"] == "credential_id"
    other = await keep(bench.http, bench.person, type="anthropic", name="Other")
    refused = await bench.post(PATH, 400, **all_at_once(ground, cloud_model, other["id"]))
    assert refused["param"] == "credential_id"
    assert await ground.endpoints() == []
