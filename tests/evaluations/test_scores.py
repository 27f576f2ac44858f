"""Scores set beside each other: leaderboards, comparisons, exports, and who sees them."""

import csv
import io
import json
import math
from typing import Any
from uuid import uuid4

import pytest

from tests.cast import Person
from tests.evaluations.conftest import Lab
from tests.evaluations.test_evaluation import wilson
from tests.projects.data import join
from tests.statements import Statements

Json = dict[str, Any]


@pytest.fixture
async def compared(lab: Lab) -> Lab:
    """Both deployments are evaluated: the first one is better, by much in Alpha and by little in Beta."""
    for endpoint, alpha, beta in ((0, 90, 61), (1, 70, 60)):
        await lab.score("Alpha", alpha)
        await lab.score("Beta", beta)
        await lab.evaluated(f"Of {endpoint}", ("Alpha", "Beta", "Gamma"), endpoint)
    return lab


async def test_a_dataset_ranks_deployments_and_says_how_certain_that_is(compared: Lab) -> None:
    board = await compared.get(f"/datasets/{compared.data['Alpha']}/scores")
    first, second = board["scores"]
    assert (first["rank"], first["endpoint_name"], first["accuracy"]) == (1, compared.names[0], 90)
    assert (second["rank"], second["accuracy"], second["num_runs"], second["samples"]) == (2, 70, 1, 1000)
    assert (first["behind_best"], first["model_name"]) == (None, f"Model of {compared.names[0]}")
    (low_a, high_a), (low_b, high_b) = wilson(90, 1000), wilson(70, 1000)
    behind = second["behind_best"]
    limits = (20 - math.hypot(90 - low_a, high_b - 70), 20 + math.hypot(high_a - 90, 70 - low_b))
    assert (behind["lower"], behind["upper"]) == pytest.approx(limits, abs=0.011)
    assert (behind["points"], behind["is_certain"]) == (20, True)
    close = (await compared.get(f"/datasets/{compared.data['Beta']}/scores"))["scores"][1]["behind_best"]
    assert (close["points"], close["is_certain"]) == (1, False)
    assert "Wilson" in board["statistics"]["interval"]
    assert "Newcombe" in board["statistics"]["difference_interval"]


async def test_equal_scores_have_the_same_rank(lab: Lab) -> None:
    await lab.score("Alpha", 80)
    for endpoint in (0, 1):
        await lab.evaluated(f"Of {endpoint}", ("Alpha",), endpoint)
    board = await lab.get(f"/datasets/{lab.data['Alpha']}/scores")
    assert [(one["rank"], one["behind_best"]) for one in board["scores"]] == [(1, None), (1, None)]


async def test_a_dataset_of_unknown_size_has_no_interval(compared: Lab) -> None:
    gamma = (await compared.get(f"/datasets/{compared.data['Gamma']}/scores"))["scores"]
    assert [(one["samples"], one["confidence_interval"]) for one in gamma] == [(None, None)] * 2
    assert gamma[1]["behind_best"] is None
    found = await compared.newest()
    assert found["scores"]["confidence_interval"] is None
    assert found["scores"]["overall_accuracy"] is not None


async def test_runs_of_the_same_dataset_are_averaged_and_count_once(lab: Lab) -> None:
    for name, score in (("a", 80), ("b", 90)):
        await lab.score("Alpha", score)
        await lab.evaluated(name, ("Alpha",))
    [only] = (await lab.get("/scores"))["scores"]
    assert (only["accuracy"], only["num_runs"], only["samples"]) == (85, 2, 1000)
    limits = only["confidence_interval"]
    assert (limits["lower"], limits["upper"]) == pytest.approx(wilson(85, 1000), abs=0.011)


async def test_of_runs_of_which_one_is_of_unknown_size_the_size_is_unknown(lab: Lab) -> None:
    for name in ("a", "b"):
        await lab.evaluated(name, ("Gamma",))
    first = "(select id from evaluation_run order by id limit 1)"
    await lab.bench.sql(f"update evaluation_metric set samples = 100 where run_id = {first}")
    [only] = (await lab.get("/scores"))["scores"]
    assert (only["num_runs"], only["samples"], only["confidence_interval"]) == (2, None, None)


async def test_a_run_that_is_deleted_counts_no_more(lab: Lab) -> None:
    await lab.evaluated("a", ("Alpha",))
    [run] = (await lab.get(f"/{lab.experiment_id}/runs/history"))["runs_history"]["items"]
    assert (await lab.get("/scores"))["total_record"] == 1
    await lab.bench.call("DELETE", f"/experiments/runs/{run['run_id']}")
    assert (await lab.get("/scores"))["scores"] == []


async def test_scores_by_different_measures_are_not_ranked_against_each_other(compared: Lab) -> None:
    of_second = "run_id in (select id from evaluation_run where endpoint_id = :id)"
    renamed = f"update evaluation_metric set metric_name = 'f1' where {of_second}"
    await compared.bench.sql(renamed, id=compared.endpoints[1])
    board = await compared.get(f"/datasets/{compared.data['Alpha']}/scores")
    assert [(one["rank"], one["behind_best"]) for one in board["scores"]] == [(1, None), (1, None)]


async def test_scores_of_all_datasets_are_listed(compared: Lab) -> None:
    listed = (await compared.get("/scores"))["scores"]
    assert [(one["dataset_name"], one["rank"]) for one in listed][:4] == [
        ("Alpha", 1),
        ("Alpha", 2),
        ("Beta", 1),
        ("Beta", 2),
    ]
    second = (await compared.get("/scores", endpoint_id=compared.endpoints[1], dataset_id=compared.data["Alpha"]))[
        "scores"
    ]
    assert [(one["rank"], one["accuracy"]) for one in second] == [(2, 70)]
    assert (await compared.get("/scores", model_id=str(uuid4())))["total_record"] == 0
    assert len((await compared.get("/scores", limit=1, page=2))["scores"]) == 1


async def test_deployments_are_compared_by_trait_and_dataset(compared: Lab) -> None:
    both = ",".join(compared.endpoints)
    radar = await compared.get("/compare/radar", deployment_ids=both)
    assert [trait["name"] for trait in radar["traits"]] == ["Knowledge", "Reasoning"]
    first = next(one for one in radar["deployments"] if one["deployment_id"] == compared.endpoints[0])
    knowledge = next(one for one in first["trait_scores"] if one["trait_name"] == "Knowledge")
    assert (knowledge["score"], knowledge["dataset_count"], knowledge["samples"]) == (75.5, 2, 1100)
    assert knowledge["confidence_interval"]["lower"] < 75.5 < knowledge["confidence_interval"]["upper"]
    one_trait = await compared.get("/compare/radar", trait_ids=compared.data["Reasoning"])
    assert [trait["name"] for trait in one_trait["traits"]] == ["Reasoning"]
    heatmap = await compared.get("/compare/heatmap", deployment_ids=both, dataset_ids=compared.data["Alpha"])
    assert heatmap["stats"] == {"min_score": 70, "max_score": 90, "avg_score": 80}
    cells = {one["deployment_id"]: one["dataset_scores"][0]["score"] for one in heatmap["deployments"]}
    assert cells == dict(zip(compared.endpoints, (90, 70), strict=True))
    first = await compared.get("/compare/heatmap", deployment_ids=both, limit=1)
    assert ([one["name"] for one in first["datasets"]], first["stats"]) == (["Alpha"], heatmap["stats"])
    assert (await compared.get("/compare/heatmap", end_date="2001-01-01T00:00:00Z"))["deployments"] == []
    deployments = (await compared.get("/compare/deployments"))["deployments"]
    assert {one["id"]: (one["run_count"], one["experiment_count"]) for one in deployments} == dict.fromkeys(
        compared.endpoints, (3, 1)
    )
    traits = (await compared.get("/compare/traits", deployment_ids=compared.endpoints[0]))["traits"]
    assert [(one["name"], one["dataset_count"], one["run_count"]) for one in traits] == [
        ("Knowledge", 2, 2),
        ("Reasoning", 2, 2),
    ]


async def test_a_model_shows_what_evaluations_have_found(compared: Lab) -> None:
    found = await compared.newest()
    path = f"/models/{found['model']['id']}"
    result = (await compared.bench.call("GET", path))["eval_result"]
    assert [(one["name"], one["score"]) for one in result["datasets"]][:2] == [("Alpha", 70), ("Beta", 60)]
    assert [one["name"] for one in result["traits"]] == ["Knowledge", "Reasoning"]
    assert result["datasets"][0]["samples"] == 1000


async def test_evaluations_are_exported(compared: Lab) -> None:
    headers = compared.bench.person.headers
    await compared.bench.sql("update evaluation_run set reason = '=cmd|calc' where run_index = 1")
    answer = await compared.bench.http.get("/experiments/evaluations/all?export_format=csv", headers=headers)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["evaluation"], row["dataset"], row["score"], row["samples"]) for row in rows][:2] == [
        ("of 0", "Alpha", "90.0", "1000"),
        ("of 0", "Beta", "61.0", "100"),
    ]
    assert (len(rows), rows[0]["reason"]) == (6, "'=cmd|calc")
    assert float(rows[0]["interval_lower"]) < 90 < float(rows[0]["interval_upper"])
    query = {"export_format": "json", "endpoint_id": compared.endpoints[1]}
    answer = await compared.bench.http.get("/experiments/evaluations/all", params=query, headers=headers)
    [one] = json.loads(answer.text)
    assert (one["evaluation_name"], len(one["runs"])) == ("of 1", 3)
    await compared.get("/evaluations/all", 422, export_format="xml")


async def test_evaluations_are_found_by_deployment_model_and_name(compared: Lab) -> None:
    async def names(**query: Any) -> list[str]:
        found = await compared.get("/evaluations/all", **query)
        assert found["total"] == found["total_record"] == len(found["evaluations"])
        return [one["evaluation_name"] for one in found["evaluations"]]

    assert await names() == ["of 1", "of 0"]
    assert await names(endpoint_id=compared.endpoints[0]) == ["of 0"]
    assert await names(model_id=(await compared.newest())["model"]["id"]) == ["of 1"]
    assert await names(search="OF 0") == ["of 0"]
    assert await names(search="better") == ["of 1", "of 0"]
    assert await names(search="better", searchName="false") == []
    page = await compared.get("/evaluations/all", page=2, page_size=1)
    assert ([one["evaluation_name"] for one in page["evaluations"]], page["total_record"]) == (["of 0"], 2)


async def nothing_is_seen(lab: Lab, person: Person) -> None:
    assert (await lab.get("/scores", person=person))["scores"] == []
    assert (await lab.get(f"/datasets/{lab.data['Alpha']}/scores", person=person))["scores"] == []
    named: Json = {"deployment_ids": ",".join(lab.endpoints)}
    for path, part in (("radar", "deployments"), ("heatmap", "deployments"), ("deployments", "deployments")):
        query: Json = named if path != "deployments" else {}
        assert (await lab.get(f"/compare/{path}", person=person, **query))[part] == []
    assert (await lab.get("/compare/traits", person=person, **named))["traits"] == []
    assert (await lab.get("/evaluations/all", person=person, endpoint_id=lab.endpoints[0]))["evaluations"] == []
    for export_format in ("csv", "json"):
        export = {"export_format": export_format}
        answer = await lab.bench.http.get("/experiments/evaluations/all", params=export, headers=person.headers)
        assert len(answer.text.splitlines()) == 1


async def test_scores_are_seen_by_those_who_may_look_at_the_deployment(compared: Lab) -> None:
    await nothing_is_seen(compared, compared.cast.other_admin)
    await nothing_is_seen(compared, compared.cast.tester)
    await join(compared.bench.database, compared.project_id, compared.cast.tester)
    assert len((await compared.get("/scores", person=compared.cast.tester))["scores"]) == 6
    assert len((await compared.get("/evaluations/all", person=compared.cast.tester))["evaluations"]) == 2
    await compared.get(f"/{compared.experiment_id}", 404, person=compared.cast.tester)
    await compared.bench.call("DELETE", f"/experiments/{compared.experiment_id}")
    assert (await compared.get("/scores", person=compared.cast.tester))["scores"] == []


async def test_comparisons_cost_few_statements(compared: Lab, statements: Statements) -> None:
    board = f"/datasets/{compared.data['Alpha']}/scores"
    for path in (board, "/scores", "/compare/radar", "/compare/heatmap", "/compare/deployments", "/compare/traits"):
        await compared.get(path)
        statements.clear()
        await compared.get(path)
        assert len(statements) <= 3, path
