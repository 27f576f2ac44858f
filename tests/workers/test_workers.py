"""The workers of a deployment: looked at, added and deleted."""

from uuid import uuid4

import pytest

from tests.cast import Cast
from tests.deployments.conftest import Ground, bench, environment, ground, stand_in
from tests.projects.data import join, messages
from tests.worker_logs import lines_of
from tests.workflows.conftest import Json
from tests.workflows.test_local_model import BAD_FAULTS

__all__ = ["bench", "environment", "ground", "stand_in"]

ADD, DELETE = "/endpoints/add-worker", "/endpoints/delete-worker"


@pytest.fixture
async def endpoint(ground: Ground) -> Json:
    return await ground.deployed()


async def simulated(ground: Ground, endpoint: Json) -> str:
    body = {"endpoint_id": endpoint["id"], "additional_concurrency": 5}
    first = await ground.bench.post(ADD, step_number=1, workflow_total_steps=5, **body)
    await ground.at_step(first["workflow_id"], 3)
    return str(first["workflow_id"])


async def add(ground: Ground, workflow_id: str, status: int = 200) -> Json:
    return await ground.bench.post(ADD, status, step_number=4, workflow_id=workflow_id, trigger_workflow=True)


async def workers(ground: Ground, endpoint: Json, **query: object) -> list[Json]:
    answer = await ground.bench.call("GET", f"/endpoints/{endpoint['id']}/workers", params=query)
    return list(answer["workers"])


async def now(ground: Ground) -> Json:
    return (await ground.endpoints())[-1]


async def test_workers_are_shown_with_logs_and_metrics(ground: Ground, endpoint: Json) -> None:
    path = f"/endpoints/{endpoint['id']}/workers"
    listed = await ground.bench.call("GET", path, params={"limit": 1, "page": 2})
    assert (listed["total_record"], listed["total_pages"], len(listed["workers"])) == (2, 2, 1)
    assert await workers(ground, endpoint, status="Pending") == []
    assert len(await workers(ground, endpoint, hardware="GPU", refresh=True)) == 2
    worker = listed["workers"][0]
    shown = await ground.bench.call("GET", f"{path}/{worker['id']}", params={"reload": True})
    assert shown["worker"] == worker
    logs = (await ground.bench.call("GET", f"{path}/{worker['id']}/logs"))["logs"]
    assert logs[0]["timestamp"]
    assert "model" in logs[0]["message"]
    metrics = (await ground.bench.call("GET", f"{path}/{worker['id']}/metrics"))["metrics"]
    assert set(metrics) == {"cpu_metrics", "memory_usage"}
    await ground.bench.call("GET", f"{path}/{uuid4()}", 404)
    await ground.bench.call("GET", f"{path}/{uuid4()}/logs", 404)


async def test_another_deployments_worker_is_like_one_that_nobody_has(ground: Ground, endpoint: Json) -> None:
    other = await ground.deployed()
    [stranger, _] = await workers(ground, other)
    path = f"/endpoints/{endpoint['id']}/workers"
    for tail in ("", "/logs", "/metrics", "/logs/stream"):
        answers = [
            await ground.bench.call("GET", f"{path}/{worker_id}{tail}", 404) for worker_id in (stranger["id"], uuid4())
        ]
        theirs, nobodys = ({**answer, "instance": None, "request_id": None} for answer in answers)
        assert theirs == nobodys
    body = {"endpoint_id": endpoint["id"], "worker_id": stranger["id"], "worker_name": "x"}
    await ground.bench.post(DELETE, 404, **body)


@pytest.mark.parametrize("fault", [{"status": 500}, {"hang": True}], ids=str)
async def test_a_budcluster_that_is_down_is_no_empty_list(ground: Ground, endpoint: Json, fault: Json) -> None:
    await ground.budcluster.does_wrong(f"namespace={endpoint['namespace']}", **fault)
    answer = await ground.bench.http.get(
        f"/endpoints/{endpoint['id']}/workers", headers=ground.bench.person.headers, timeout=30
    )
    assert answer.status_code in {502, 503}


async def test_logs_are_followed(ground: Ground, endpoint: Json) -> None:
    [worker, _] = await workers(ground, endpoint)
    lines = await lines_of(ground.bench, f"/endpoints/{endpoint['id']}/workers/{worker['id']}/logs/stream", 4)
    assert lines[0]["message"].startswith("Loading the model")


async def test_logs_of_a_worker_that_has_started_anew_are_followed_from_their_beginning(
    ground: Ground, endpoint: Json
) -> None:
    [worker, _] = await workers(ground, endpoint)
    path = f"/endpoints/{endpoint['id']}/workers/{worker['id']}/logs"
    anew = [line["message"] for line in (await ground.bench.call("GET", path))["logs"]]
    before = [{"message": f"Before {number}"} for number in range(len(anew) + 50)]
    answer = {"object": "worker.logs", "message": "m", "logs": before}
    await ground.budcluster.does_wrong(f"{worker['id']}/logs", status=200, answer=answer, times=1)
    lines = await lines_of(ground.bench, f"{path}/stream", len(before) + 1)
    assert [line["message"] for line in lines[len(before) :]][: len(anew)] == anew


async def test_workers_are_added_where_budsim_finds_room(ground: Ground, endpoint: Json) -> None:
    workflow_id = await simulated(ground, endpoint)
    [run] = [one for one in await ground.budsim.requests(workflow_id) if one["path"] == "/simulator/run"]
    assert (run["body"]["cluster_id"], run["body"]["concurrency"]) == (ground.cluster_id, 5)
    asked = await add(ground, workflow_id)
    assert len(asked["workflow_steps"]["budserve_cluster_events"]["steps"]) == 5
    done = await ground.bench.until(workflow_id, "completed")
    assert done["workflow_steps"]["workflow_execution_status"]["status"] == "success"
    assert done["workflow_steps"]["bud_serve_cluster_events"]["steps"][0]["payload"]
    row = await now(ground)
    assert (row["total_replicas"], row["active_replicas"]) == (3, 3)
    assert row["deployment_config"]["concurrent_requests"] == 15
    assert len(row["node_list"]) == len(set(row["node_list"])) == row["number_of_nodes"]
    told = [body["payload"]["content"]["message"] for _, body in await messages(ground.bench.database)]
    assert told[-1] == "Worker Added"


@pytest.mark.parametrize("step", ["verify_cluster_connection", "deploy_to_engine", "run_performance_benchmark"])
async def test_workers_that_can_not_be_added_leave_nothing(ground: Ground, endpoint: Json, step: str) -> None:
    workflow_id = await simulated(ground, endpoint)
    await ground.budcluster.does_wrong(f'"existing_deployment_namespace": "{endpoint["namespace"]}"', fail_at=step)
    await add(ground, workflow_id)
    assert (await ground.bench.until(workflow_id, "failed"))["reason"]
    assert len(await workers(ground, endpoint)) == 2
    assert (await now(ground))["deployment_config"]["concurrent_requests"] == 10
    await ground.budcluster.behave()
    await ground.bench.call("POST", f"/workflows/{workflow_id}/retry")
    await ground.bench.until(workflow_id, "completed")
    assert len(await workers(ground, endpoint)) == 3


@pytest.mark.parametrize("fault", BAD_FAULTS, ids=str)
async def test_repeated_and_reordered_events_count_once(ground: Ground, endpoint: Json, fault: Json) -> None:
    workflow_id = await simulated(ground, endpoint)
    await ground.budcluster.does_wrong(endpoint["namespace"], **fault)
    await add(ground, workflow_id)
    await ground.bench.until(workflow_id, "completed")
    assert (await now(ground))["total_replicas"] == 3
    [worker, *_] = await workers(ground, endpoint)
    await ground.budcluster.does_wrong(worker["id"], **fault)
    body = {"endpoint_id": endpoint["id"], "worker_id": worker["id"], "worker_name": worker["name"]}
    deletion = await ground.bench.post(DELETE, **body)
    await ground.bench.until(deletion["workflow_id"], "completed")
    assert (await now(ground))["total_replicas"] == 2


async def test_a_worker_is_deleted(ground: Ground, endpoint: Json) -> None:
    [worker, other] = await workers(ground, endpoint)
    body = {"endpoint_id": endpoint["id"], "worker_id": worker["id"], "worker_name": worker["name"]}
    answer = await ground.bench.post(DELETE, **body)
    assert (answer["object"], answer["message"]) == ("worker.delete", "Worker deleting initiated successfully")
    done = await ground.bench.until(answer["workflow_id"], "completed")
    assert done["workflow_steps"]["delete_worker_events"]["steps"][0]["id"] == "delete_worker"
    assert [one["id"] for one in await workers(ground, endpoint)] == [other["id"]]
    row = await now(ground)
    assert (row["total_replicas"], row["active_replicas"], row["node_list"]) == (1, 1, [other["node_name"]])
    assert row["deployment_config"]["concurrent_requests"] == 5
    await ground.bench.post(DELETE, 404, **body)


async def test_no_more_workers_run_than_are_left(ground: Ground, endpoint: Json) -> None:
    [worker, _] = await workers(ground, endpoint)
    await ground.budcluster.does_wrong(f'"worker_id": "{worker["id"]}"', silent_from="results")
    body = {"endpoint_id": endpoint["id"], "worker_id": worker["id"], "worker_name": worker["name"]}
    answer = await ground.bench.post(DELETE, **body)
    [event, *_] = await ground.bench.until_told(1)
    content = {"status": "COMPLETED", "title": "t", "message": "m", "result": {}}
    payload = {**event["payload"], "event": "results", "content": content}
    await ground.bench.deliver({**event, "id": str(uuid4()), "payload": payload})
    assert (await ground.bench.get(answer["workflow_id"]))["status"] == "completed"
    assert ((await now(ground))["total_replicas"], (await now(ground))["active_replicas"]) == (1, 1)


async def test_a_worker_that_can_not_be_deleted_stays(ground: Ground, endpoint: Json) -> None:
    [worker, _] = await workers(ground, endpoint)
    await ground.budcluster.does_wrong(f'"worker_id": "{worker["id"]}"', fail_at="delete_worker")
    body = {"endpoint_id": endpoint["id"], "worker_id": worker["id"], "worker_name": worker["name"]}
    answer = await ground.bench.post(DELETE, **body)
    assert (await ground.bench.until(answer["workflow_id"], "failed"))["reason"]
    assert (await now(ground))["total_replicas"] == 2


async def test_who_may_only_look_changes_nothing(ground: Ground, endpoint: Json, cast: Cast) -> None:
    await join(ground.bench.database, ground.project_id, cast.tester)
    [worker, _] = await workers(ground, endpoint)
    body: Json = {"endpoint_id": endpoint["id"], "worker_id": worker["id"], "worker_name": "x"}
    step: Json = {"step_number": 1, "workflow_total_steps": 5, "endpoint_id": endpoint["id"]}
    http = ground.bench.http
    for person, status in ((cast.tester, 403), (cast.other_admin, 404), (cast.client, 404)):
        assert (await http.post(DELETE, json=body, headers=person.headers)).status_code == status
        assert (await http.post(ADD, json=step, headers=person.headers)).status_code == status
        seen = await http.get(f"/endpoints/{endpoint['id']}/workers", headers=person.headers)
        assert seen.status_code == (200 if person is cast.tester else 404)
