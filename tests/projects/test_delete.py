import asyncio
from uuid import UUID

import httpx
import pytest

from budapp.commons.database import Database
from budapp.project_ops.models import Project
from tests.cast import Cast
from tests.projects.data import add, create, credential_row, endpoint_row, keys_of, members_of, somebody_waits


async def test_a_deleted_project_is_gone_everywhere(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin)
    answer = await client.delete(f"/projects/{project['id']}", headers=cast.manager.headers)
    assert answer.status_code == 200
    assert (answer.json()["object"], answer.json()["success"]) == ("project.delete", True)
    assert (await client.get("/projects/", headers=cast.admin.headers)).json()["projects"] == []
    again = await client.delete(f"/projects/{project['id']}", headers=cast.manager.headers)
    assert again.status_code == 404


@pytest.mark.parametrize("status", ["running", "failure", "deploying", "unhealthy", "deleting", "pending"])
async def test_any_living_deployment_refuses_it_and_keeps_the_keys(
    client: httpx.AsyncClient, cast: Cast, database: Database, status: str
) -> None:
    project = await create(client, cast.admin)
    await add(
        database, endpoint_row(project["id"], cast.admin, status=status), credential_row(project["id"], cast.admin)
    )
    answer = await client.delete(f"/projects/{project['id']}", headers=cast.admin.headers)
    assert answer.status_code == 400
    assert await keys_of(database, project["id"]) == ["key"]
    assert (await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)).status_code == 200


async def test_deleted_deployments_do_not_matter(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.admin)
    await add(database, endpoint_row(project["id"], cast.admin, status="deleted"))
    assert (await client.delete(f"/projects/{project['id']}", headers=cast.admin.headers)).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "left"),
    [("", 200, []), ("?remove_credential=true", 200, []), ("?remove_credential=false", 400, ["key"])],
)
async def test_keys_go_with_it_unless_that_is_refused(
    client: httpx.AsyncClient, cast: Cast, database: Database, query: str, status: int, left: list[str]
) -> None:
    project, other = [await create(client, cast.admin, name=name) for name in "ab"]
    await add(database, *(credential_row(p["id"], cast.developer) for p in (project, other)))
    answer = await client.delete(f"/projects/{project['id']}{query}", headers=cast.admin.headers)
    assert answer.status_code == status
    assert await keys_of(database, project["id"]) == left
    assert await keys_of(database, other["id"]) == ["key"]


async def test_without_keys_it_need_not_be_allowed(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin)
    answer = await client.delete(f"/projects/{project['id']}?remove_credential=false", headers=cast.admin.headers)
    assert answer.status_code == 200


async def test_what_is_added_while_a_deletion_waits_to_commit_is_refused(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    users = {"users": [{"user_id": str(cast.developer.id), "scopes": ["endpoint:view"]}]}
    url = f"/projects/{project['id']}/add-users"
    async with database.write() as deletion:
        row = await deletion.get_one(Project, UUID(project["id"]), with_for_update=True)
        adding = asyncio.create_task(client.post(url, json=users, headers=cast.admin.headers))
        await somebody_waits(database)
        row.status = "deleted"
    assert (await adding).status_code == 404
    assert cast.developer.id not in await members_of(database, project["id"])


async def test_of_parallel_deletions_one_succeeds(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin)
    url = f"/projects/{project['id']}"
    answers = await asyncio.gather(*(client.delete(url, headers=cast.admin.headers) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404]
