"""Datasets and versions, and who may do what with them."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.dataset_ops.checking import Checking
from budapp.dataset_ops.seeds import ensure_benchmark_datasets
from tests.cast import Cast
from tests.datasets.data import new_dataset, put
from tests.projects.data import create, join
from tests.statements import Statements


async def test_a_dataset_is_made_changed_listed_and_deleted(
    client: httpx.AsyncClient, cast: Cast, project_id: str
) -> None:
    headers = cast.manager.headers
    dataset = f"/datasets/{await new_dataset(client, cast.manager, project_id)}"
    changed = await client.patch(dataset, json={"name": "Answers", "description": "Of last year"}, headers=headers)
    listed = (await client.get("/datasets", params={"project_id": project_id}, headers=headers)).json()
    assert changed.json()["dataset"]["name"] == "Answers"
    assert [row["description"] for row in listed["datasets"]] == ["Of last year"]
    assert (await client.delete(dataset, headers=headers)).status_code == 200
    assert (await client.get(dataset, headers=headers)).status_code == 404
    assert (await client.get("/datasets", headers=headers)).json()["total_record"] == 0


async def test_a_name_is_taken_once_in_a_project_and_free_after_deletion(
    client: httpx.AsyncClient, cast: Cast, project_id: str
) -> None:
    async def make(name: str, project: str = project_id) -> int:
        body = {"project_id": project, "name": name}
        return (await client.post("/datasets", json=body, headers=cast.manager.headers)).status_code

    first = await new_dataset(client, cast.manager, project_id)
    assert await make("PROMPTS") == 409
    assert await make("Prompts", (await create(client, cast.manager, name="Other"))["id"]) == 200
    await client.delete(f"/datasets/{first}", headers=cast.manager.headers)
    assert await make("Prompts") == 200


async def test_parallel_versions_get_numbers_of_their_own(
    client: httpx.AsyncClient, cast: Cast, project_id: str
) -> None:
    dataset = f"/datasets/{await new_dataset(client, cast.manager, project_id)}"
    answers = await asyncio.gather(
        *(client.post(f"{dataset}/versions", headers=cast.manager.headers) for _ in range(5))
    )
    assert sorted(answer.json()["version"]["number"] for answer in answers) == [1, 2, 3, 4, 5]
    detail = (await client.get(dataset, headers=cast.manager.headers)).json()["dataset"]
    assert [version["number"] for version in detail["versions"]] == [5, 4, 3, 2, 1]


async def test_size_and_latest_version_count_what_is_ready(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    dataset = version.rpartition("/versions/")[0]
    await put(client, cast.manager, version, b"a\n1\n")
    await put(client, cast.manager, version, b"a,a", split="test")
    await client.post(f"{dataset}/versions", headers=cast.manager.headers)
    before = (await client.get(dataset, headers=cast.manager.headers)).json()["dataset"]
    await checking.check()
    after = (await client.get(dataset, headers=cast.manager.headers)).json()["dataset"]
    assert (before["latest_version"], before["size"]) == (None, 0)
    assert (after["latest_version"], after["size"]) == (1, 4)


@pytest.mark.parametrize(
    ("scopes", "status"), [(["endpoint:view"], 403), (["project:view"], 403), (["endpoint:manage"], 200)]
)
async def test_a_member_reads_and_needs_endpoint_manage_to_change(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    version: str,
    scopes: list[str],
    status: int,
) -> None:
    await join(database, project_id, cast.developer, scopes=tuple(scopes))
    dataset, headers = version.rpartition("/versions/")[0], cast.developer.headers
    assert (await client.get(dataset, headers=headers)).status_code == 200
    assert (await put(client, cast.developer, version)).status_code == status
    assert (await client.post(f"{dataset}/versions", headers=headers)).status_code == status
    body = {"project_id": project_id, "name": "Mine"}
    assert (await client.post("/datasets", json=body, headers=headers)).status_code == status
    assert (await client.delete(dataset, headers=headers)).status_code == status


async def test_people_out_of_reach_find_no_such_dataset(
    client: httpx.AsyncClient, cast: Cast, version: str, checking: Checking
) -> None:
    await put(client, cast.manager, version)
    await checking.check()
    dataset = version.rpartition("/versions/")[0]
    for person in (cast.tester, cast.client, cast.other_admin):
        for path in (dataset, f"{version}/files/train/download", f"{version}/files/train/preview"):
            assert (await client.get(path, headers=person.headers)).status_code == 404
        assert (await client.delete(dataset, headers=person.headers)).status_code == 404
        assert (await put(client, person, version, split="test")).status_code == 404
        assert (await client.get("/datasets", headers=person.headers)).json()["total_record"] == 0


async def test_reads_cost_three_statements_at_most(
    client: httpx.AsyncClient, cast: Cast, version: str, statements: Statements
) -> None:
    await put(client, cast.manager, version)
    dataset = version.rpartition("/versions/")[0]
    for path, most in (("/datasets", 1), (dataset, 2)):
        await client.get(path, headers=cast.manager.headers)
        statements.clear()
        assert (await client.get(path, headers=cast.manager.headers)).status_code == 200
        assert len(statements) <= most


async def test_the_public_datasets_are_seeded_once_and_listed_for_everyone(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for _ in range(2):
        async with database.write() as session:
            await ensure_benchmark_datasets(session, components_of(app))
    body = (await client.get("/dataset", params={"limit": 100}, headers=cast.tester.headers)).json()
    assert body["total_record"] == len(body["datasets"]) == 17
    found = await client.get("/dataset", params={"name": "alpaca", "search": True}, headers=cast.tester.headers)
    assert {row["name"] for row in found.json()["datasets"]} >= {"alpaca_en", "alpaca_gpt4_zh"}
