"""Experiments with their tags and runs, and putting one together in steps."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.cast import Cast
from tests.evaluations.conftest import Lab
from tests.projects.data import create, join
from tests.statements import Statements

Json = dict[str, Any]


async def call(
    client: httpx.AsyncClient, cast: Any, method: str, path: str, status: int = 200, json: Any = None
) -> Json:
    answer = await client.request(method, f"/experiments{path}", headers=cast.headers, json=json)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_an_experiment_has_a_name_of_its_creators_own(client: httpx.AsyncClient, cast: Cast) -> None:
    body = {"name": " Which ONE ", "description": "x", "tags": ["Fast", "fast", "cheap"]}
    made = await call(client, cast.developer, "POST", "/", 201, body)
    experiment = made["experiment"]
    assert (experiment["name"], experiment["status"], made["id"]) == ("which one", "no_runs", experiment["id"])
    assert sorted(experiment["tags"]) == ["cheap", "fast"]
    await call(client, cast.developer, "POST", "/", 409, body)
    await call(client, cast.tester, "POST", "/", 201, body)
    path = f"/{experiment['id']}"
    changed = await call(client, cast.developer, "PATCH", path, 200, {"name": "Another"})
    assert (changed["experiment"]["name"], changed["experiment"]["description"]) == ("another", "x")
    await call(client, cast.developer, "DELETE", path)
    await call(client, cast.developer, "GET", path, 404)
    await call(client, cast.developer, "POST", "/", 201, {"name": "another"})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": " "},
        {"name": "x" * 256},
        {"name": "x", "tags": ["t" * 21]},
        {"name": "x", "description": "d" * 501},
        {"name": "a\0b"},
        {"name": "x", "tags": [str(n) for n in range(51)]},
    ],
    ids=str,
)
async def test_odd_experiments_are_refused(client: httpx.AsyncClient, cast: Cast, body: Json) -> None:
    await call(client, cast.developer, "POST", "/", 422, body)


async def test_experiments_are_their_creators_and_of_who_reaches_their_project(
    client: httpx.AsyncClient, cast: Cast, lab: Lab
) -> None:
    project = await create(client, cast.manager, name=f"Shared {uuid4().hex[:6]}")
    await join(lab.bench.database, project["id"], cast.developer)
    shared = await lab.post("/", name="Shared", project_id=project["id"])
    own = f"/{lab.experiment_id}"
    for person, mine, ours in (
        (cast.developer, 200, 200),
        (cast.manager, 200, 200),
        (cast.tester, 404, 404),
        (cast.other_admin, 404, 404),
    ):
        await call(client, person, "GET", own, mine)
        await call(client, person, "GET", f"/{shared['id']}", ours)
        await call(client, person, "GET", own + "/summary", mine)
        await call(client, person, "GET", own + "/runs", mine)
        await call(client, person, "GET", own + "/evaluations", mine)
        await call(client, person, "GET", own + "/runs/history", mine)
    await join(lab.bench.database, project["id"], cast.tester)
    assert [one["name"] for one in (await call(client, cast.tester, "GET", "/"))["experiments"]] == ["shared"]
    await call(client, cast.developer, "POST", "/", 404, {"name": "x", "project_id": str(uuid4())})
    await call(client, cast.client, "GET", "/", 403)


async def test_experiments_are_found_by_what_they_are_about(lab: Lab) -> None:
    found = await lab.evaluated()
    await lab.post("/", name="Other", tags=["blue"])

    async def names(**query: Any) -> list[str]:
        page = await lab.get("/", **query)
        assert page["total"] == page["total_record"]
        return [one["name"] for one in page["experiments"]]

    assert await names() == ["other", "which is better"]
    assert await names(search="BETTER") == ["which is better"]
    assert await names(tags="red,Blue") == ["other"]
    assert await names(orderBy="name", order="desc") == ["which is better", "other"]
    assert await names(model_id=found["model"]["id"]) == ["which is better"]
    assert await names(experiment_status="no_runs") == ["other"]
    assert await names(experiment_status="completed") == ["which is better"]
    assert await names(created_after="2001-01-01T00:00:00Z", created_before="2002-01-01T00:00:00Z") == []
    [about] = [one for one in (await lab.get("/"))["experiments"] if one["name"] == "which is better"]
    assert [trait["name"] for trait in about["traits"]] == ["Knowledge", "Reasoning"]
    assert [one["deployment_name"] for one in about["models"]] == [lab.names[0]]
    [listed] = (await lab.get("/models"))["models"]
    assert (listed["deployment_name"], listed["experiment_count"]) == (lab.names[0], 1)
    assert (await lab.get("/models", person=lab.cast.other_admin))["models"] == []


async def test_an_experiment_shows_its_newest_scores(lab: Lab) -> None:
    await lab.score("Alpha", 50)
    await lab.evaluated("One")
    await lab.score("Alpha", 75)
    await lab.evaluated("Two")
    experiment = (await lab.get(f"/{lab.experiment_id}"))["experiment"]
    scores = {one["dataset"]: one for one in experiment["current_metrics"]}
    assert (scores["Alpha"]["score"], scores["Alpha"]["evaluation"]) == ("75.00", "two")
    assert sorted(scores["Alpha"]["traits"]) == ["Knowledge", "Reasoning"]
    assert scores["Alpha"]["confidence_interval"]["lower"] < 75 < scores["Alpha"]["confidence_interval"]["upper"]
    summary = (await lab.get(f"/{lab.experiment_id}/summary"))["summary"]
    assert (summary["total_evaluations"], summary["completed_evaluations"]) == (2, 2)
    shown = (await lab.get(f"/{lab.experiment_id}/runs"))["evaluations"]
    assert [one["evaluation_name"] for one in shown] == ["two", "one"]
    assert shown[0]["trait_name"] == "Knowledge, Reasoning"
    history = (await lab.get(f"/{lab.experiment_id}/runs/history", page_size=3, sort_field="status"))["runs_history"]
    assert (history["total"], len(history["items"])) == (4, 3)
    assert history["items"][0]["benchmarks"][0]["name"] == "Alpha"
    assert (await lab.get(f"/{lab.experiment_id}/runs/history", page=9))["runs_history"]["total"] == 4


async def test_an_experiment_with_an_evaluation_that_goes_on_stays(lab: Lab) -> None:
    await lab.budeval.does_wrong(lab.experiment_id, silent_from="results")
    workflow_id = await lab.drafted()
    await lab.step(5, workflow_id)
    run_id = (await lab.newest())["runs"][0]["run_id"]
    assert (await lab.get("/"))["experiments"][0]["status"] == "running"
    for path in (f"/{lab.experiment_id}", f"/runs/{run_id}"):
        assert "cancel" in (await lab.bench.call("DELETE", f"/experiments{path}", 400))["message"]
    await lab.bench.call("DELETE", f"/workflows/{workflow_id}")
    await lab.bench.call("DELETE", f"/experiments/runs/{run_id}")
    assert [run["dataset_name"] for run in (await lab.newest())["runs"]] == ["Beta"]
    await lab.bench.call("DELETE", f"/experiments/{lab.experiment_id}")
    assert (await lab.get("/evaluations/all"))["evaluations"] == []


async def test_tags_are_the_tenants(client: httpx.AsyncClient, cast: Cast) -> None:
    tag = (await call(client, cast.developer, "POST", "/tags", 201, {"name": "Fast", "description": "x"}))["tag"]
    assert tag["color"].startswith("#")
    await call(client, cast.tester, "POST", "/tags", 409, {"name": "FAST"})
    assert (await call(client, cast.tester, "GET", "/tags/search?q=as"))["tags"] == [tag]
    assert (await call(client, cast.other_admin, "GET", "/tags"))["tags"] == []
    await call(client, cast.other_admin, "POST", "/", 404, {"name": "x", "tag_ids": [tag["id"]]})
    await call(client, cast.developer, "GET", "/tags/search", 422)


async def test_runs_can_be_noted_beforehand(lab: Lab) -> None:
    path = f"/{lab.experiment_id}/runs"
    body: Json = {
        "endpoint_ids": lab.endpoints,
        "dataset_ids": lab.ids("Alpha", "Beta"),
        "evaluation_config": {"shots": 5},
    }
    made = await lab.post(path, **body)
    assert (made["total_runs"], [run["run_index"] for run in made["runs"]]) == (4, [1, 2, 3, 4])
    assert {run["status"] for run in made["runs"]} == {"pending"}
    run_id = made["runs"][0]["id"]
    for status, expected in (("cancelled", 200), ("pending", 200), ("completed", 400), ("luck", 422)):
        await lab.bench.call("PATCH", f"/experiments/runs/{run_id}?status={status}", expected)
    changed = await lab.bench.call("PATCH", f"/experiments/runs/{run_id}", json={"config": {"shots": 0}})
    assert changed["run"]["config"] == {"shots": 0}
    for status, expected in (("running", 400), ("cancelled", 200)):
        await lab.bench.sql("update evaluation_run set status = :status where id = :id", status=status, id=run_id)
        await lab.bench.call("DELETE", f"/experiments/runs/{run_id}", expected)
    await lab.get(f"/runs/{run_id}", 404)
    for name, missing in (("endpoint_ids", [str(uuid4())]), ("dataset_ids", [str(uuid4())])):
        await lab.post(path, 404, **{**body, name: missing})
    await lab.post(path, 422, **{**body, "dataset_ids": [str(uuid4()) for _ in range(100)]})
    await lab.get(f"/runs/{made['runs'][1]['id']}", 404, person=lab.cast.other_admin)


async def test_an_experiment_is_put_together_in_steps(lab: Lab) -> None:
    async def step(number: int, workflow_id: str | None = None, status: int = 200, **said: Any) -> Json:
        opened = {"workflow_id": workflow_id} if workflow_id else {}
        body = {"step_number": number, "trigger_workflow": number == 5, "stage_data": said, **opened}
        return await lab.bench.call("POST", "/experiments/workflow", status, json=body)

    first = await step(1, name="In Steps", tags=["steps"])
    workflow_id = first["workflow_id"]
    assert (first["next_step"], first["is_complete"], first["data"]["name"]) == (2, False, "in steps")
    assert {one["id"] for one in first["next_step_data"]["available_endpoints"]} == set(lab.endpoints)
    assert "Step 2 comes first" in (await step(3, workflow_id, 400, trait_ids=lab.ids("Knowledge")))["message"]
    await step(2, workflow_id, endpoint_ids=lab.endpoints)
    third = await step(3, workflow_id, trait_ids=lab.ids("Reasoning"))
    assert [one["name"] for one in third["next_step_data"]["available_datasets"]] == ["Alpha", "Gamma"]
    await step(3, workflow_id, 400, trait_ids=lab.ids("Reasoning"), dataset_ids=lab.ids("Bias"))
    await step(4, workflow_id, 422, performance_point=101)
    await step(4, workflow_id, performance_point=0)
    done = await step(5, workflow_id)
    assert (done["is_complete"], done["next_step"], done["status"]) == (True, None, "completed")
    made = (await lab.get(f"/{done['experiment_id']}"))["experiment"]
    assert (made["name"], made["tags"], made["status"]) == ("in steps", ["steps"], "completed")
    history = (await lab.get(f"/{done['experiment_id']}/runs/history"))["runs_history"]
    assert (history["total"], {run["status"] for run in history["items"]}) == (4, {"pending"})
    assert (await lab.get(f"/workflow/{workflow_id}"))["experiment_id"] == done["experiment_id"]
    await lab.get(f"/workflow/{workflow_id}", 404, person=lab.cast.other_admin)
    again = (await step(1, name="in steps"))["workflow_id"]
    await step(2, again, endpoint_ids=lab.endpoints)
    await step(3, again, trait_ids=lab.ids("Reasoning"))
    await step(4, again, performance_point=50)
    await step(5, again, 409)


async def test_reads_cost_few_statements(lab: Lab, statements: Statements) -> None:
    await lab.evaluated()
    own = f"/{lab.experiment_id}"
    for path in ("/", own, f"{own}/summary", f"{own}/runs/history", "/models", "/tags", "/evaluations/all"):
        await lab.get(path)
        statements.clear()
        await lab.get(path)
        assert len(statements) <= 3, path
