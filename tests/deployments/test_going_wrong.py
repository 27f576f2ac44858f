"""Deployments that fail, fall silent, are told of twice or in another order, are cancelled, clash, or are retried."""

import asyncio
from uuid import uuid4

import pytest

from budapp.commons.domain import components_of
from budapp.events.relay import Relay
from tests.deployments.conftest import CONFIG, LOAD, PATH, Ground
from tests.projects.data import messages
from tests.waiting import until
from tests.workflows.conftest import Json
from tests.workflows.test_local_model import BAD_FAULTS


async def clean(ground: Ground) -> None:
    """Wait until nothing is left of a deployment, neither here nor at budcluster."""
    await components_of(ground.bench.app)[Relay].drain()

    async def nothing_runs() -> bool:
        return await ground.running() == []

    await until(nothing_runs)
    assert await ground.endpoints() == []


@pytest.mark.parametrize(
    "step",
    [
        *("verify_cluster_connection", "transfer_model_to_cluster", "deploy_to_engine"),
        *("verify_deployment_status", "run_performance_benchmark"),
    ],
)
async def test_a_deployment_that_fails_leaves_nothing_and_can_be_tried_again(ground: Ground, step: str) -> None:
    workflow_id = await ground.simulated()
    await ground.budcluster.does_wrong(ground.cluster_id, fail_at=step, times=1)
    await ground.deploy(workflow_id)
    assert (await ground.bench.until(workflow_id, "failed"))["reason"]
    await clean(ground)
    await ground.bench.call("POST", f"/workflows/{workflow_id}/retry")
    await ground.bench.until(workflow_id, "completed")
    [endpoint] = await ground.endpoints()
    assert [one["namespace"] for one in await ground.running()] == [endpoint["namespace"]]


async def test_a_simulation_that_fails_can_be_tried_again(ground: Ground) -> None:
    workflow_id = await ground.begun()
    await ground.budsim.does_wrong(workflow_id, fail_at="ranking", times=1)
    await ground.step(4, workflow_id, endpoint_name="again", deploy_config=CONFIG)
    assert (await ground.bench.until(workflow_id, "failed"))["reason"]
    await ground.bench.call("POST", f"/workflows/{workflow_id}/retry")
    await ground.at_step(workflow_id, 6)
    await ground.deploy(workflow_id)
    await ground.bench.until(workflow_id, "completed")


@pytest.mark.parametrize("fault", BAD_FAULTS, ids=str)
async def test_repeated_and_reordered_events_lead_to_the_same_end(ground: Ground, fault: Json) -> None:
    workflow_id = await ground.simulated()
    await ground.budcluster.does_wrong(ground.cluster_id, **fault)
    await ground.deploy(workflow_id)
    await ground.bench.until(workflow_id, "completed")
    [endpoint] = await ground.endpoints()
    assert [one["namespace"] for one in await ground.running()] == [endpoint["namespace"]]


async def test_a_service_that_falls_silent_is_told_to_stop(ground: Ground) -> None:
    workflow_id = await ground.simulated()
    await ground.budcluster.does_wrong(ground.cluster_id, silent_from="results")
    await ground.deploy(workflow_id)

    async def runs() -> bool:
        return [one["status"] for one in await ground.running()] == ["ready"]

    await until(runs)
    await ground.bench.sql("update workflow_attempt set deadline_at = now() where task = 'deployment'")
    await ground.bench.reconcile()
    assert (await ground.bench.get(workflow_id))["status"] == "failed"
    await clean(ground)


async def test_cancelling_ends_the_work_at_budcluster(ground: Ground) -> None:
    workflow_id = await ground.simulated()
    await ground.budcluster.does_wrong(ground.cluster_id, event_delay_seconds=1)
    await ground.deploy(workflow_id)
    answer = await ground.bench.post("/models/cancel-deployment", workflow_id=workflow_id)
    assert answer["object"] == "deployment.cancel"
    assert (await ground.bench.get(workflow_id))["status"] == "cancelled"
    await clean(ground)
    await ground.bench.post("/models/cancel-deployment", 400, workflow_id=workflow_id)


async def test_results_of_what_was_cancelled_are_taken_back(ground: Ground) -> None:
    workflow_id = await ground.simulated()
    await ground.deploy(workflow_id)

    async def is_done() -> bool:
        return any(one["confirmed"] for one in await ground.running())

    await until(is_done)
    await ground.bench.post("/models/cancel-deployment", workflow_id=workflow_id)
    await asyncio.sleep(0.3)
    await ground.bench.pump()
    await clean(ground)


async def test_of_two_identical_triggers_the_second_gets_409(ground: Ground) -> None:
    first, second = await ground.simulated("twin"), await ground.simulated("twin")
    await ground.budcluster.does_wrong(ground.cluster_id, event_delay_seconds=0.2)
    for workflow_id in (first, second):
        await ground.step(6, workflow_id, cluster_id=ground.cluster_id)
    triggers = [
        ground.bench.http.post(
            PATH,
            json={"step_number": 8, "workflow_id": workflow_id, "trigger_workflow": True},
            headers=ground.bench.person.headers,
        )
        for workflow_id in (first, second)
    ]
    answers = await asyncio.gather(*triggers)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    won = first if answers[0].status_code == 200 else second
    await ground.bench.until(won, "completed")
    assert len(await ground.running()) == len(await ground.endpoints()) == 1
    lost = second if won == first else first
    clash = await ground.step(8, lost, 409, trigger_workflow=True)
    assert clash["param"] == "endpoint_name"
    await ground.step(7, lost, endpoint_name="other")
    await ground.step(8, lost, trigger_workflow=True)
    await ground.bench.until(lost, "completed")


async def test_a_name_that_is_gone_at_the_results_fails_the_workflow_and_undoes_the_deployment(ground: Ground) -> None:
    workflow_id = await ground.simulated("late")
    await ground.budcluster.does_wrong(ground.cluster_id, event_delay_seconds=0.2)
    await ground.deploy(workflow_id)
    statement = """
        insert into endpoint (id, tenant_id, name, project_id, model_id, url, namespace, status, created_by,
            active_replicas, total_replicas, number_of_nodes, supported_endpoints, cache_enabled, is_deprecated,
            is_published, created_at, modified_at)
        select gen_random_uuid(), tenant_id, 'LATE', :project, :model, '', '', 'running', created_by,
            0, 0, 0, '{}', false, false, false, now(), now()
        from project where id = :project
    """
    await ground.bench.sql(statement, project=ground.project_id, model=ground.model_id)
    failed = await ground.bench.until(workflow_id, "failed")
    assert "already exists" in failed["reason"]
    await ground.bench.sql("delete from endpoint")
    await clean(ground)


async def test_a_project_that_is_gone_at_the_results_fails_the_workflow_and_undoes_the_deployment(
    ground: Ground,
) -> None:
    workflow_id = await ground.simulated()
    await ground.deploy(workflow_id)
    await ground.bench.sql("update project set status = 'deleted' where id = :id", id=ground.project_id)
    failed = await ground.bench.until(workflow_id, "failed")
    assert "project was deleted" in failed["reason"]
    assert await ground.endpoints() == []
    [undoing] = [row for row, _ in await messages(ground.bench.database) if row.target == "budcluster"]
    assert undoing.path == "deployment/delete"


async def test_a_retry_does_not_take_a_name_that_is_gone(ground: Ground) -> None:
    workflow_id = await ground.simulated("taken")
    await ground.budcluster.does_wrong(ground.cluster_id, fail_at="1", times=1)
    await ground.deploy(workflow_id)
    await ground.bench.until(workflow_id, "failed")
    await ground.deployed("taken")
    refused = await ground.bench.post(f"/workflows/{workflow_id}/retry", 409)
    assert refused["param"] == "endpoint_name"
    assert (await ground.bench.get(workflow_id))["status"] == "failed"


async def test_budcluster_is_asked_once_however_often_the_step_is_posted(ground: Ground) -> None:
    workflow_id = await ground.simulated()
    await ground.step(6, workflow_id, cluster_id=ground.cluster_id)
    await asyncio.gather(*(ground.step(8, workflow_id, trigger_workflow=True) for _ in range(4)))
    [attempt] = await ground.bench.sql("select correlation_id from workflow_attempt where task = 'deployment'")
    assert len(await ground.budcluster.requests(str(attempt[0]))) == 1
    await ground.bench.until(workflow_id, "completed")


async def test_a_refusal_leaves_the_draft_open_and_the_name_free(ground: Ground) -> None:
    workflow_id = await ground.simulated("free")
    await ground.budcluster.does_wrong(ground.cluster_id, status=422, times=1)
    await ground.deploy(workflow_id, 400)
    assert (await ground.bench.get(workflow_id))["status"] == "in_progress"
    other = await ground.simulated("free")
    await ground.deploy(other)
    await ground.bench.until(other, "completed")


async def test_a_dry_run_says_what_is_missing_and_who_would_be_asked_and_changes_nothing(ground: Ground) -> None:
    bench = ground.bench
    body: Json = {"step_number": 1, "workflow_total_steps": 8, "project_id": ground.project_id}
    body |= {"model_id": ground.model_id, "trigger_workflow": True}
    first = await bench.call("POST", f"{PATH}?dry_run=true", json=body)
    assert (first["object"], first["task"], first["calls"]) == ("deployment.dry_run", "deployment", [])
    assert first["missing"] == ["endpoint_name", "deploy_config", "cluster_id", "simulator_id"]
    deployment = {"endpoint_name": "Try Me", "deploy_config": CONFIG, "simulator_id": str(uuid4())}
    whole = {**body, **deployment, "cluster_id": ground.cluster_id}
    [call] = (await bench.call("POST", f"{PATH}?dry_run=true", json=whole))["calls"]
    assert (call["service"], call["method"], call["path"]) == ("budcluster", "POST", "/deployment")
    assert (call["body"]["endpoint_name"], call["body"]["concurrency"]) == ("try-me", 10)
    looks = {**body, "deploy_config": CONFIG, "trigger_workflow": False}
    [call] = (await bench.call("POST", f"{PATH}?dry_run=true", json=looks))["calls"]
    assert (call["service"], call["path"]) == ("budsim", "/simulator/run")
    assert await bench.sql("select 1 from workflow where workflow_type = 'model_deployment'") == []
    assert await bench.sql("select 1 from deployment_name") == []
    assert await ground.budcluster.requests(ground.cluster_id) == []


async def test_what_cannot_be_is_named(ground: Ground) -> None:
    bench, missing = ground.bench, str(uuid4())
    begin = {"step_number": 1, "workflow_total_steps": 8, "project_id": ground.project_id}
    assert (await bench.post(PATH, 404, **{**begin, "project_id": missing}))["message"] == "Project not found"
    for field in ("model_id", "template_id"):
        assert (await bench.post(PATH, 404, **begin, **{field: missing}))["param"] == field
    assert (await bench.post(PATH, 404, **begin, cluster_id=missing))["param"] == "cluster_id"
    assert (await bench.post(PATH, 422, **begin, endpoint_name="naïve"))["param"] == "endpoint_name"
    assert (await bench.post(PATH, 422, **begin, deploy_config={**LOAD, "ttft": [0, 10]}))["param"]
    without = await bench.post(PATH, 403, step_number=1, workflow_total_steps=8, model_id=ground.model_id)
    assert "name the project first" in without["message"]
    await bench.sql("update cluster set status = 'not_available'")
    assert (await bench.post(PATH, 400, **begin, cluster_id=ground.cluster_id))["param"] == "cluster_id"
