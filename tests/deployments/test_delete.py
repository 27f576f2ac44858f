"""Taking a deployment down, and how it scales before that."""

import asyncio

import httpx
import pytest

from budapp.commons.domain import components_of
from budapp.events.relay import Relay
from tests.cast import Cast
from tests.deployments.conftest import Ground
from tests.projects.data import join, messages
from tests.workflows.conftest import Json


async def delete(ground: Ground, endpoint: Json, status: int = 200, **body: object) -> Json:
    return await ground.bench.call("POST", f"/endpoints/{endpoint['id']}/delete-workflow", status, json=body or None)


async def test_a_deployment_is_deleted_at_budcluster_and_its_name_is_free(ground: Ground) -> None:
    endpoint = await ground.deployed("gone")
    workflow_id = (await delete(ground, endpoint))["workflow_id"]
    assert (await ground.endpoints())[0]["status"] == "deleting"
    assert (await delete(ground, endpoint, 400))["message"] == "Deployment is already deleting"
    done = await ground.bench.until(workflow_id, "completed")
    assert done["workflow_steps"]["delete_endpoint_events"]["steps"][0]["id"] == "delete_namespace"
    assert (await ground.endpoints())[0]["status"] == "deleted"
    assert await ground.running() == []
    told = [body["payload"] for _, body in await messages(ground.bench.database)]
    assert told[-1]["type"] == "deployment_deletion_success"
    assert told[-1]["content"]["result"]["target_type"] == "project"
    await delete(ground, endpoint, 404)
    await ground.deployed("gone")


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 404}, {"fail_at": "delete_namespace"}], ids=str)
async def test_a_deletion_that_fails_leaves_the_deployment_as_it_was(ground: Ground, fault: Json) -> None:
    endpoint = await ground.deployed()
    await ground.budcluster.does_wrong(f'"namespace": "{endpoint["namespace"]}"', times=1, **fault)
    refused = {500: 502, 404: 400}.get(fault.get("status", 0), 200)
    answer = await delete(ground, endpoint, refused)
    if refused == 200:
        assert (await ground.bench.until(answer["workflow_id"], "failed"))["reason"]
    assert (await ground.endpoints())[0]["status"] == "running"
    again = await delete(ground, endpoint, callback_topic=None, force=True)
    await ground.bench.until(again["workflow_id"], "completed")
    assert await ground.running() == []


async def test_what_is_deleted_after_all_is_gone(ground: Ground) -> None:
    endpoint = await ground.deployed()
    await ground.budcluster.does_wrong(f'"namespace": "{endpoint["namespace"]}"', event_delay_seconds=0.3)
    workflow_id = (await delete(ground, endpoint))["workflow_id"]
    await ground.bench.call("DELETE", f"/workflows/{workflow_id}")
    assert (await ground.endpoints())[0]["status"] == "running"
    await ground.bench.until_told(1)

    async def is_gone() -> bool:
        return bool((await ground.endpoints())[0]["status"] == "deleted")

    ground.bench.position = "0"
    await ground.until(is_gone)


async def test_a_silent_budcluster_leaves_the_deployment_as_it_was(ground: Ground) -> None:
    endpoint = await ground.deployed()
    await ground.budcluster.does_wrong(f'"namespace": "{endpoint["namespace"]}"', silent_from="1")
    workflow_id = (await delete(ground, endpoint))["workflow_id"]
    await ground.bench.sql("update workflow_attempt set deadline_at = now() where workflow_id = :id", id=workflow_id)
    await ground.bench.reconcile()
    assert (await ground.bench.get(workflow_id))["status"] == "failed"
    assert (await ground.endpoints())[0]["status"] == "running"


async def test_who_may_not_manage_the_project_deletes_and_scales_nothing(ground: Ground, cast: Cast) -> None:
    endpoint, http = await ground.deployed(), ground.bench.http
    await join(ground.bench.database, ground.project_id, cast.tester)
    path = f"/endpoints/{endpoint['id']}"
    scaler = {"budaiscaler_specification": {"enabled": True}}
    for person, status in ((cast.tester, 403), (cast.other_admin, 404), (cast.client, 404)):
        assert (await http.post(f"{path}/delete-workflow", headers=person.headers)).status_code == status
        assert (await http.put(f"{path}/autoscale", json=scaler, headers=person.headers)).status_code == status
    assert (await http.get(f"{path}/autoscale", headers=cast.tester.headers)).status_code == 200


async def test_a_service_deploys_scales_and_deletes_for_a_user(ground: Ground) -> None:
    endpoint, bench = await ground.deployed(), ground.bench
    app = {"dapr-api-token": bench.settings.app_api_token.get_secret_value()}
    path, user = f"/endpoints/{endpoint['id']}", {"user_id": str(bench.person.id)}
    shown = await bench.http.get(f"{path}/autoscale", params=user, headers=app)
    assert shown.json()["budaiscaler_config"]["minReplicas"] == 2
    deletion = await bench.http.post(f"{path}/delete-workflow", params=user, headers=app, json={"force": True})
    await bench.until(deletion.json()["workflow_id"], "completed")
    assert (await bench.http.post(f"{path}/delete-workflow", headers=app)).status_code == 400


async def test_scaling_changes_at_budcluster_first(ground: Ground, client: httpx.AsyncClient) -> None:
    endpoint = await ground.deployed()
    path = f"/endpoints/{endpoint['id']}/autoscale"
    found = await ground.bench.call("GET", path)
    assert (found["autoscale_enabled"], found["budaiscaler_config"]["maxReplicas"]) == (True, 4)
    source = {"type": "pod", "targetMetric": "queue", "targetValue": "5"}
    wanted: Json = {"enabled": False, "maxReplicas": 7, "metricsSources": [source]}
    changed = await ground.bench.call("PUT", path, json={"budaiscaler_specification": wanted})
    assert (changed["autoscale_enabled"], changed["budaiscaler_config"]["maxReplicas"]) == (False, 7)
    assert (await ground.running())[0]["budaiscaler"]["maxReplicas"] == 7
    assert (await ground.bench.call("GET", path)) == changed
    await ground.budcluster.does_wrong(f'"namespace": "{endpoint["namespace"]}"', status=500, times=1)
    await ground.bench.call("PUT", path, 502, json={"budaiscaler_specification": {**wanted, "maxReplicas": 9}})
    assert (await ground.bench.call("GET", path))["budaiscaler_config"]["maxReplicas"] == 7
    odd = {"budaiscaler_specification": {"behavior": {"scaleUp": {"selectPolicy": "Often"}}}}
    assert (await ground.bench.call("PUT", path, 422, json=odd))["param"].endswith("selectPolicy")
    await ground.bench.sql("update endpoint set status = 'pending'")
    await ground.bench.call("PUT", path, 400, json={"budaiscaler_specification": wanted})


async def test_of_parallel_changes_budcluster_does_the_one_that_is_kept(ground: Ground) -> None:
    endpoint = await ground.deployed()
    path = f"/endpoints/{endpoint['id']}/autoscale"

    async def scale(most: int) -> None:
        await ground.bench.call("PUT", path, json={"budaiscaler_specification": {"enabled": True, "maxReplicas": most}})

    late = {"delay_seconds": 0.7, "but_do_it": True, "times": 1}  # done first, and answered last
    await ground.budcluster.does_wrong(f'"namespace": "{endpoint["namespace"]}"', **late)
    first = asyncio.create_task(scale(7))
    await asyncio.sleep(0.3)
    await asyncio.gather(scale(8), first)
    kept = (await ground.bench.call("GET", path))["budaiscaler_config"]["maxReplicas"]
    await components_of(ground.bench.app)[Relay].drain()
    assert (kept, (await ground.running())[0]["budaiscaler"]["maxReplicas"]) == (7, 7)
