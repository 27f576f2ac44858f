"""Traits and datasets: how they come from a manifest, and how they are listed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import BadRequest, Unavailable
from budapp.evaluation_ops.manifest import BUNDLED, read_manifest
from budapp.evaluation_ops.models import EvalSync
from budapp.evaluation_ops.seeds import ensure_datasets
from budapp.evaluation_ops.services import EvaluationData
from budapp.integrations.outgoing import Outgoing
from tests.cast import Cast
from tests.evaluations.conftest import DATASETS, TRAITS, Lab, dataset, manifest
from tests.statements import Statements

Json = dict[str, Any]
List = Callable[..., Any]


@pytest.fixture
def data(app: FastAPI, database: Database) -> EvaluationData:
    return components_of(app)[EvaluationData]


@pytest.fixture
def listed(client: httpx.AsyncClient, cast: Cast) -> List:
    async def get(path: str, **query: Any) -> list[Json]:
        answer = await client.get(f"/experiments/{path}", params=query, headers=cast.developer.headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()[path])

    return get


async def test_a_manifest_makes_changes_and_removes(data: EvaluationData, listed: List, tmp_path: Path) -> None:
    first = await data.sync(manifest(tmp_path))
    assert (first.traits_added, first.datasets_added, first.unchanged) == (3, 6, False)
    again = await data.sync(manifest(tmp_path))
    assert (again.unchanged, again.datasets_added) == (True, 0)
    ids = {one["name"]: one["id"] for one in await listed("datasets")}
    changed = [dataset("Alpha", "Reasoning", samples=2000, version="2"), dataset("New", "Knowledge")]
    report = await data.sync(manifest(tmp_path, changed, TRAITS[:2], version="2"))
    assert (report.traits_removed, report.datasets_added, report.datasets_removed) == (1, 1, 5)
    found = {one["name"]: one for one in await listed("datasets")}
    assert sorted(found) == ["Alpha", "New"]
    assert (found["Alpha"]["id"], found["Alpha"]["version"], found["Alpha"]["sample_count"]) == (
        ids["Alpha"],
        "2",
        2000,
    )
    assert [trait["name"] for trait in found["Alpha"]["traits"]] == ["Reasoning"]
    back = await data.sync(manifest(tmp_path))
    assert back.datasets_added == 0
    assert {one["name"]: one["id"] for one in await listed("datasets")} == ids
    forced = await data.sync(manifest(tmp_path), force=True)
    assert (forced.unchanged, forced.datasets_changed, forced.traits_changed) == (False, 0, 0)


async def test_many_replicas_that_sync_at_once_make_one_of_each(
    data: EvaluationData, listed: List, tmp_path: Path
) -> None:
    reports = await asyncio.gather(*(data.sync(manifest(tmp_path)) for _ in range(4)))
    assert sorted(report.datasets_added for report in reports) == [0, 0, 0, 6]
    assert len(await listed("datasets")) == 6


@pytest.mark.parametrize(
    ("whole", "where"),
    [
        ({"version": "1", "traits": [], "datasets": []}, "datasets"),
        ({"version": "1", "traits": []}, "datasets"),
        ({"version": "1", "traits": [{"name": ""}], "datasets": DATASETS}, "traits.0.name"),
        ({"version": "1", "traits": [*TRAITS, {"name": "fairness"}], "datasets": DATASETS}, "listed twice"),
        ({"version": "1", "traits": TRAITS, "datasets": [dataset("A", "Luck")]}, "a trait that is not listed"),
        ({"version": "1", "traits": TRAITS, "datasets": [dataset("A", samples=0)]}, "datasets.0.sample_count"),
        ({"version": "1", "traits": TRAITS, "datasets": [dataset("A", description="\0")]}, "datasets.0.description"),
        ({"version": "1", "traits": TRAITS, "datasets": [{"meta_links": {}}]}, "datasets.0.name"),
        ({"version": "1", "traits": TRAITS, "datasets": ["../outside.json"]}, "outside of its folder"),
        ({"version": "1", "traits": TRAITS, "datasets": ["missing.json"]}, "can't be read"),
        ([], "top level"),
    ],
)
async def test_a_mistake_is_named_and_changes_nothing(
    data: EvaluationData, listed: List, tmp_path: Path, whole: Any, where: str
) -> None:
    await data.sync(manifest(tmp_path))
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(whole))
    with pytest.raises(BadRequest) as refused:
        await data.sync(str(file))
    assert where in refused.value.text
    assert len(await listed("datasets")) == 6


async def test_datasets_may_lie_in_files_of_their_own(data: EvaluationData, listed: List, tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "two.json").write_text(json.dumps(DATASETS[:2]))
    (tmp_path / "datasets" / "one.json").write_text(json.dumps(DATASETS[2]))
    await data.sync(manifest(tmp_path, ["datasets/two.json", "datasets/one.json"]))
    assert [one["name"] for one in await listed("datasets")] == ["Alpha", "Beta", "Gamma"]


async def test_an_address_that_does_not_answer_is_told_of(data: EvaluationData) -> None:
    with pytest.raises(Unavailable):
        await data.sync("http://127.0.0.1:1/manifest.json")
    with pytest.raises(BadRequest):
        await read_manifest("https://10.0.0.1/manifest.json", Outgoing())


async def test_a_new_installation_knows_well_known_benchmarks(app: FastAPI, database: Database, listed: List) -> None:
    async with database.write() as session:
        await ensure_datasets(session, components_of(app))
    found = {one["name"]: one for one in await listed("datasets", limit=100)}
    assert len(found) == len(json.loads(BUNDLED.read_text())["datasets"])
    assert (found["GSM8K"]["sample_count"], found["GSM8K"]["eval_types"]) == (1319, {"gen": "gsm8k_gen"})
    assert all(one["traits"] and one["additional_info"] is not None for one in found.values())


async def test_datasets_are_filtered(lab: Lab) -> None:
    async def names(**query: Any) -> list[str]:
        return [one["name"] for one in (await lab.get("/datasets", **query))["datasets"]]

    assert await names() == ["Alpha", "Beta", "Bias", "Broken", "Gamma", "Quiet"]
    assert await names(name="a", limit=2) == ["Alpha", "Beta"]
    assert await names(language="german,french") == ["Beta"]
    assert await names(domains="law") == ["Alpha"]
    assert await names(modalities="TEXT") == ["Bias"]
    assert await names(trait_ids=",".join(lab.ids("Fairness", "Reasoning"))) == ["Alpha", "Bias", "Gamma"]
    await lab.get("/datasets", 422, trait_ids="Fairness")
    one = await lab.get(f"/datasets/{lab.data['Alpha']}")
    assert (one["dataset"]["tags"], one["dataset"]["additional_info"]) == (
        ["Law", "Multiple choice"],
        {"age_distribution": None},
    )
    await lab.get(f"/datasets/{lab.experiment_id}", 404)
    assert (await lab.get("/traits", name="rea"))["traits"][0]["category"] is None


async def test_traits_name_the_experiments_that_evaluated_them(lab: Lab, cast: Cast) -> None:
    await lab.evaluated()
    traits = {one["name"]: one["exps_ids"] for one in (await lab.get("/traits"))["traits"]}
    assert traits == {"Knowledge": [lab.experiment_id], "Reasoning": [lab.experiment_id], "Fairness": []}
    foreign = (await lab.get("/traits", person=cast.other_admin))["traits"]
    assert [one["exps_ids"] for one in foreign] == [[], [], []]


async def test_only_the_platform_syncs(client: httpx.AsyncClient, cast: Cast) -> None:
    statuses = {
        name: (await client.post("/experiments/sync/datasets", headers=getattr(cast, name).headers)).status_code
        for name in ("admin", "manager", "developer", "other_admin")
    }
    assert statuses == {"admin": 200, "manager": 403, "developer": 403, "other_admin": 403}


async def test_lists_cost_few_statements(lab: Lab, statements: Statements) -> None:
    for path in ("/datasets", f"/datasets/{lab.data['Alpha']}", "/traits"):
        await lab.get(path)
        statements.clear()
        await lab.get(path)
        assert len(statements) <= 3, path


async def test_a_manifest_that_is_the_same_after_a_failure_is_gone_through_again(
    data: EvaluationData, tmp_path: Path, database: Database
) -> None:
    good = manifest(tmp_path)
    await data.sync(good)
    with pytest.raises(BadRequest):
        await data.sync(str(tmp_path / "missing.json"))
    assert (await data.sync(good)).unchanged is False
    async with database.read() as session:
        assert list(await session.scalars(select(EvalSync.status))) == ["completed"]
