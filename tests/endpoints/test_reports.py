"""A deployment on the stand-in of budcluster falls ill and recovers, and is published and steered meanwhile."""

import httpx

from tests.cast import Cast
from tests.deployments.conftest import Ground, bench, environment, ground, stand_in
from tests.waiting import until

__all__ = ["bench", "environment", "ground", "stand_in"]


async def test_what_budcluster_tells_of_a_real_deployment_shows(
    client: httpx.AsyncClient, cast: Cast, ground: Ground
) -> None:
    endpoint = await ground.deployed()
    path, headers = f"/endpoints/{endpoint['id']}", cast.admin.headers
    control = f"/control/deployments/{endpoint['namespace']}"

    async def becomes(condition: str, state: str, reason: str | None = None) -> None:
        body = {"status": condition, "reason": reason}
        (await ground.budcluster.http.put(control, json=body)).raise_for_status()
        (await ground.budcluster.http.post(f"{control}/status")).raise_for_status()

        async def shows() -> bool:
            await ground.bench.pump()
            found = (await client.get(f"{path}/model-cluster-detail", headers=headers)).json()["result"]
            return bool(found["status"] == state)

        await until(shows)

    [row] = (await client.get("/endpoints/", headers=headers)).json()["endpoints"]
    assert (row["status"], row["cluster"]["cluster_id"]) == ("running", ground.cluster_id)
    body = {"action": "publish", "pricing": {"input_cost": "0.5", "output_cost": "1.5"}}
    assert (await client.put(f"{path}/publish", json=body, headers=headers)).status_code == 200
    await becomes("endpoints_failed", "unhealthy", "No memory")
    offered = (await client.get("/models/catalog", headers=cast.client.headers)).json()["models"]
    assert [model["endpoint_name"] for model in offered] == [endpoint["name"]]  # a sick one stays in the catalog
    [row] = (await client.get("/endpoints/?status=unhealthy", headers=headers)).json()["endpoints"]
    assert (row["reason"], row["active_workers"]) == ("No memory", 0)
    await becomes("ready", "running")
    history = (await client.get(f"{path}/history", headers=headers)).json()["history"]
    assert [(entry["state"], entry["reason"]) for entry in history] == [
        ("running", None),
        ("unhealthy", "No memory"),
        ("running", None),
    ]
