"""Evaluating a deployment: the steps, the flow with budeval straight and going wrong, and what is kept of it."""

import math
from typing import Any
from uuid import uuid4

import pytest

from tests.evaluations.conftest import Lab, engine_name
from tests.projects.data import messages
from tests.replicas import running_replica
from tests.workflows.conftest import Json
from tests.workflows.killing import end_leases, killed_while_it_asks
from tests.workflows.test_local_model import BAD_FAULTS

STEPS = ("verify_cluster_connection", "preparing_eval_engine", "deploy_eval_job", "monitor_eval_job_progress")


def wilson(percent: float, n: int) -> tuple[float, float]:
    """The limits as textbooks have them: the two roots of (p - t)² = z² t (1 - t) / n."""
    z, p = 1.959963984540054, percent / 100
    a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
    root = math.sqrt(b * b - 4 * a * c)
    return 100 * (-b - root) / (2 * a), 100 * (-b + root) / (2 * a)


async def test_a_deployment_is_evaluated_with_a_key_that_opens_it_alone(lab: Lab) -> None:
    await lab.score("Alpha", 80)
    await lab.score("Beta", 60)
    await lab.budeval.does_wrong(lab.experiment_id, event_delay_seconds=0.1)
    workflow_id = await lab.drafted()
    begun = await lab.step(5, workflow_id)
    assert begun["current_step"] == 6
    assert [step["id"] for step in begun["workflow_steps"]["evaluation_events"]["steps"]] == list(STEPS)
    [key] = await lab.keys()
    assert ([str(one) for one in key[0]], str(key[1]), key[2]) == (
        [lab.endpoints[0]],
        lab.project_id,
        lab.bench.person.id,
    )
    assert 23 < key[3].total_seconds() / 3600 < 24
    [asked] = [one for one in await lab.budeval.requests(lab.experiment_id) if one["method"] == "POST"]
    info = asked["body"]["eval_model_info"]
    assert (info["model_name"], info["endpoint"]) == (f"bud-{lab.names[0]}", "http://10.0.0.7:8000/v1")
    assert [one["dataset_id"] for one in asked["body"]["eval_datasets"]] == [engine_name("Alpha"), engine_name("Beta")]
    running = await lab.newest()
    assert (running["status"], {run["status"] for run in running["runs"]}) == ("running", {"running"})

    await lab.bench.until(workflow_id, "completed")
    assert await lab.keys() == []
    found = await lab.newest()
    assert (found["evaluation_name"], found["status"], found["eta_seconds"]) == ("first", "completed", 0)
    assert [(run["dataset_name"], run["score"], run["samples"]) for run in found["runs"]] == [
        ("Alpha", 80.0, 1000),
        ("Beta", 60.0, 100),
    ]
    for run in found["runs"]:
        limits = wilson(run["score"], run["samples"])
        got = run["confidence_interval"]
        assert (got["lower"], got["upper"]) == pytest.approx(limits, abs=0.011)
    assert found["scores"]["overall_accuracy"] == 70
    (low_a, high_a), (low_b, high_b) = wilson(80, 1000), wilson(60, 100)
    down, up = math.hypot(80 - low_a, 60 - low_b) / 2, math.hypot(high_a - 80, high_b - 60) / 2
    mean = found["scores"]["confidence_interval"]
    assert (mean["lower"], mean["upper"]) == pytest.approx((70 - down, 70 + up), abs=0.011)
    traits = {trait["name"]: trait for trait in found["traits"]}
    assert (traits["Knowledge"]["score"], traits["Reasoning"]["score"]) == (70, 80)
    assert [one["name"] for one in traits["Reasoning"]["datasets"]] == ["Alpha"]
    told = [payload["payload"] for _, payload in await messages(lab.bench.database) if "payload" in payload]
    [done] = [payload for payload in told if payload["type"] == "evaluation_success"]
    assert done["content"]["result"]["target_type"] == "workflow"


async def test_each_step_shows_what_the_next_one_can_choose_from(lab: Lab) -> None:
    first = await lab.step(1, name="  Chosen ", description="x")
    path = f"/{lab.experiment_id}/evaluations/workflow/{first['workflow_id']}"
    choices = (await lab.get(path))["next_step_data"]["available_endpoints"]
    assert {one["id"] for one in choices} == set(lab.endpoints)
    await lab.step(2, first["workflow_id"], endpoint_id=lab.endpoints[0])
    chosen = await lab.get(path)
    assert [one["name"] for one in chosen["next_step_data"]["available_traits"]] == [
        "Knowledge",
        "Reasoning",
        "Fairness",
    ]
    assert chosen["selected_model"]["name"] == f"Model of {lab.names[0]}"
    assert (chosen["deployment_specs"], chosen["workflow_steps"]["endpoint"]["name"]) == ({"replicas": 1}, lab.names[0])
    await lab.step(3, first["workflow_id"], trait_ids=lab.ids("Reasoning"))
    found = await lab.get(path)
    assert [one["name"] for one in found["next_step_data"]["available_datasets"]] == ["Alpha", "Gamma"]
    assert [one["name"] for one in found["workflow_steps"]["traits_details"]] == ["Reasoning"]
    await lab.step(4, first["workflow_id"], dataset_ids=lab.ids("Alpha"))
    summary = (await lab.get(path))["next_step_data"]["summary"]
    assert (summary["deployment_name"], summary["dataset_size"], summary["evaluations"]) == (
        lab.names[0],
        1000,
        ["Alpha"],
    )
    assert (await lab.get(path))["workflow_steps"]["stage_data"]["name"] == "chosen"


async def test_steps_that_are_skipped_are_named(lab: Lab) -> None:
    first = (await lab.step(1, name="Skipping"))["workflow_id"]
    for number, said in ((3, {"trait_ids": lab.ids("Knowledge")}), (4, {"dataset_ids": lab.ids("Alpha")}), (5, {})):
        refused = await lab.step(number, first, 400, **said)
        assert "Step 2 comes first: it says endpoint_id" in refused["message"]
    await lab.step(2, None, 400, endpoint_id=lab.endpoints[0])
    await lab.step(2, first, 422)
    await lab.step(1, None, 422, name=" ")
    await lab.step(1, None, 422, name="x" * 256)
    body = {"step_number": 4, "workflow_id": first, "trigger_workflow": True, "stage_data": {}}
    await lab.bench.call("POST", lab.workflow_path, 422, json=body)


async def test_a_dataset_that_serves_no_chosen_trait_is_named(lab: Lab) -> None:
    workflow_id = await lab.drafted()
    refused = await lab.step(4, workflow_id, 400, dataset_ids=lab.ids("Alpha", "Bias"))
    assert "Bias serves none of the chosen traits" in refused["message"]
    await lab.step(4, workflow_id, 404, dataset_ids=[str(uuid4())])
    await lab.step(3, workflow_id, 404, trait_ids=[str(uuid4())])
    await lab.step(2, workflow_id, 404, endpoint_id=str(uuid4()))
    await lab.step(3, workflow_id, 400, trait_ids=lab.ids("Fairness"))


async def test_names_are_unique_in_an_experiment(lab: Lab) -> None:
    workflow_id = await lab.drafted("Twice")
    other = await lab.drafted("TWICE")
    await lab.step(5, workflow_id)
    assert "choose another name" in (await lab.step(5, other, 409))["message"]
    await lab.step(1, None, 409, name="twice")
    elsewhere = await lab.post("/", name="Elsewhere")
    lab.experiment_id = elsewhere["id"]
    await lab.step(1, None, name="twice")


async def test_only_a_deployment_that_runs_is_evaluated(lab: Lab) -> None:
    workflow_id = await lab.drafted()
    await lab.bench.sql("update endpoint set status = 'unhealthy'")
    assert "is unhealthy" in (await lab.step(5, workflow_id, 400))["message"]
    assert await lab.keys() == []


@pytest.mark.parametrize("step", STEPS)
async def test_an_evaluation_that_fails_closes_its_key_and_can_be_tried_again(lab: Lab, step: str) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, fail_at=step, message="No GPU", times=1)
    found = await lab.evaluated(until="failed")
    assert (found["status"], found["reason"]) == ("failed", "No GPU")
    assert {run["status"] for run in found["runs"]} == {"failed"}
    assert await lab.keys() == []
    await lab.bench.call("POST", f"/workflows/{found['workflow_id']}/retry")
    assert len(await lab.keys()) == 1
    await lab.bench.until(found["workflow_id"], "completed")
    again = await lab.newest()
    assert (again["id"], again["status"], len(again["runs"])) == (found["id"], "completed", 2)
    assert await lab.keys() == []


@pytest.mark.parametrize("fault", BAD_FAULTS, ids=str)
async def test_repeated_and_reordered_events_lead_to_the_same_scores(lab: Lab, fault: Json) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, **fault)
    found = await lab.evaluated()
    assert [run["status"] for run in found["runs"]] == ["completed", "completed"]
    assert (await lab.bench.sql("select count(*) from evaluation_metric"))[0][0] == 2


async def test_a_budeval_that_refuses_leaves_nothing_open(lab: Lab) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, status=400, times=1)
    workflow_id = await lab.drafted()
    await lab.step(5, workflow_id, 400)
    found = await lab.newest()
    assert (found["status"], await lab.keys()) == ("failed", [])


async def test_a_budeval_that_falls_silent_ends_the_evaluation(lab: Lab) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, silent_from="3")
    workflow_id = await lab.drafted()
    await lab.step(5, workflow_id)
    await lab.bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second'")
    await lab.bench.reconcile()
    found = await lab.newest()
    assert (found["status"], await lab.keys()) == ("failed", [])
    assert "not been heard of" in found["reason"]


async def test_cancelling_closes_the_key_and_keeps_no_scores(lab: Lab) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, event_delay_seconds=0.2)
    workflow_id = await lab.drafted()
    await lab.step(5, workflow_id)
    await lab.bench.call("DELETE", f"/workflows/{workflow_id}")
    found = await lab.newest()
    assert (found["status"], {run["status"] for run in found["runs"]}) == ("cancelled", {"cancelled"})
    assert await lab.keys() == []
    await lab.bench.until_told(10, "results")
    await lab.bench.pump()
    assert (await lab.newest())["scores"]["datasets"][0]["score"] is None


async def test_a_partial_result_is_a_result(lab: Lab) -> None:
    found = await lab.evaluated("Partial", ("Alpha", "Broken", "Quiet"))
    assert found["status"] == "completed"
    runs = {run["dataset_name"]: run for run in found["runs"]}
    assert (runs["Alpha"]["status"], runs["Broken"]["status"], runs["Quiet"]["status"]) == (
        "completed",
        "failed",
        "failed",
    )
    assert runs["Broken"]["reason"] == "budeval says error"
    assert "no result" in runs["Quiet"]["reason"]
    assert found["scores"]["overall_accuracy"] == runs["Alpha"]["score"]
    shown = await lab.get(f"/runs/{runs['Alpha']['run_id']}")
    assert shown["run"]["raw_results"]["duration_seconds"] == 60
    assert [metric["metric_name"] for metric in shown["run"]["metrics"]] == ["accuracy"]


async def deliver(lab: Lab, workflow_id: str, result: Any) -> None:
    content = {"title": "Results", "message": "", "status": "COMPLETED", "result": result}
    about = {"category": "internal", "type": "evaluate_model", "event": "results", "workflow_id": workflow_id}
    payload = {**about, "source": "budeval", "content": content}
    await lab.bench.deliver({"id": str(uuid4()), "name": "bud-internal", "type": "evaluate_model", "payload": payload})


async def test_results_that_come_after_a_failure_are_kept(lab: Lab) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, fail_at=STEPS[3])
    found = await lab.evaluated(until="failed")
    run = found["runs"][0]["run_id"]
    scores = [{"dataset": "alpha", "metric": "accuracy", "score": 55.5, "version": "1"}]
    results = [{"run_id": run, "status": "success", "scores": scores}]
    await deliver(lab, found["workflow_id"], {"results": results})
    late = await lab.newest()
    assert (late["status"], [one["status"] for one in late["runs"]]) == ("failed", ["completed", "failed"])
    assert late["runs"][0]["score"] == 55.5


async def test_one_result_that_cannot_be_read_loses_itself_alone(lab: Lab) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, silent_from="results")
    workflow_id = await lab.drafted()
    await lab.step(5, workflow_id)
    runs = [run["run_id"] for run in (await lab.newest())["runs"]]
    good = {"run_id": runs[1], "status": "success"}
    scores = [
        {"metric": "f1", "score": "12.345", "num_samples": 50},
        {"metric": "accuracy", "score": 41, "num_samples": 50},
        {"metric": "perplexity", "score": 1e300},
        {"metric": "accuracy", "score": "many"},
    ]
    odd = [{"run_id": "no id"}, 7, None, {"run_id": runs[0], "status": {"a": 1}, "scores": [{"score": "nan"}]}]
    await deliver(lab, workflow_id, {"results": [*odd, {**good, "scores": scores}]})
    found = await lab.newest()
    assert (found["status"], [run["status"] for run in found["runs"]]) == ("completed", ["failed", "completed"])
    assert (found["runs"][1]["score"], found["runs"][1]["samples"]) == (41, 50)
    metrics = (await lab.get(f"/runs/{runs[1]}"))["run"]["metrics"]
    assert [(one["metric_name"], one["metric_value"]) for one in metrics] == [("accuracy", 41), ("f1", 12.35)]


@pytest.mark.parametrize("result", [None, {}, {"results": []}, {"results": "all"}, [1], {"results": [{}]}], ids=str)
async def test_results_that_say_nothing_fail_the_evaluation(lab: Lab, result: Any) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, silent_from="results")
    workflow_id = await lab.drafted()
    await lab.step(5, workflow_id)
    await deliver(lab, workflow_id, result)
    found = await lab.newest()
    assert (found["status"], await lab.keys()) == ("failed", [])


async def test_a_process_that_is_killed_while_it_asks_leaves_an_evaluation_that_goes_on(lab: Lab) -> None:
    workflow_id = await lab.drafted()
    await lab.budeval.does_wrong(workflow_id, hang=True, but_do_it=True)
    trigger: Json = {"step_number": 5, "workflow_id": workflow_id, "trigger_workflow": True, "stage_data": {}}
    same_datasets = lab.bench.settings.model_copy(update={"eval_manifest_url": lab.manifest})
    async with running_replica(same_datasets) as replica:
        await killed_while_it_asks(lab.bench, replica, lab.workflow_path, workflow_id, lab.budeval, **trigger)
    assert (await lab.newest())["status"] == "running"
    for event in await lab.bench.until_told(1, "results"):
        await lab.bench.deliver(event)
    await end_leases(lab.bench)
    await lab.bench.reconcile_until(workflow_id, "completed")
    found = await lab.newest()
    assert (found["status"], await lab.keys()) == ("completed", [])


async def test_an_evaluation_is_run_again_in_one_call(lab: Lab) -> None:
    found = await lab.evaluated("Again", ("Alpha", "Gamma"))
    for name in ("again #2", "again #3"):
        path = f"/{lab.experiment_id}/evaluations/{found['id']}/rerun"
        begun = await lab.post(path, 200)
        await lab.bench.until(begun["workflow_id"], "completed")
        rerun = await lab.newest()
        assert (rerun["evaluation_name"], [run["dataset_name"] for run in rerun["runs"]]) == (name, ["Alpha", "Gamma"])
    await lab.post(f"/{lab.experiment_id}/evaluations/{uuid4()}/rerun", 404)
    elsewhere = (await lab.post("/", name="Elsewhere"))["id"]
    await lab.post(f"/{elsewhere}/evaluations/{found['id']}/rerun", 404)


async def test_budeval_says_how_long_it_still_takes(lab: Lab) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, silent_from="results")
    workflow_id = await lab.drafted()
    await lab.step(5, workflow_id)
    evaluation_id = (await lab.newest())["id"]
    token = {"dapr-api-token": lab.bench.settings.app_api_token.get_secret_value()}
    path = "/experiments/internal/evaluations/eta"
    body = {"evaluation_id": evaluation_id, "eta_seconds": 90}
    assert (await lab.bench.http.patch(path, json=body)).status_code == 403
    assert (await lab.bench.http.patch(path, json=body, headers=token)).status_code == 200
    assert (await lab.newest())["eta_seconds"] == 90
    overview = (await lab.get(f"/{lab.experiment_id}"))["experiment"]["progress_overview"]
    assert [(one["eta_minutes"], one["progress"]["total"], one["current_evaluation"]) for one in overview] == [
        (2, 2, "Alpha")
    ]
    missing = {**body, "evaluation_id": str(uuid4())}
    assert (await lab.bench.http.patch(path, json=missing, headers=token)).status_code == 404
    assert (await lab.bench.http.patch(path, json={**body, "eta_seconds": -1}, headers=token)).status_code == 422
    await lab.bench.call("DELETE", f"/workflows/{workflow_id}")
    assert (await lab.bench.http.patch(path, json=body, headers=token)).status_code == 200
    assert (await lab.newest())["eta_seconds"] == 0, "what has ended takes no longer"


async def test_workflows_of_other_experiments_and_types_are_not_found(lab: Lab) -> None:
    workflow_id = await lab.drafted()
    elsewhere = (await lab.post("/", name="Elsewhere"))["id"]
    await lab.get(f"/{elsewhere}/evaluations/workflow/{workflow_id}", 404)
    body = {"step_number": 5, "workflow_id": workflow_id, "trigger_workflow": True, "stage_data": {}}
    await lab.bench.call("POST", f"/experiments/{elsewhere}/evaluations/workflow", 404, json=body)
    await lab.get(f"/workflow/{workflow_id}", 404)
