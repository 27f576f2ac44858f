"""Who gets how far at every route of projects."""

from typing import Any

import httpx
import pytest

from budapp.commons.database import Database
from tests.cast import Cast
from tests.projects.data import MISSING, add, body_of, create, join, project_row

READS = [("GET", ""), ("GET", "/users"), ("GET", "/clusters")]
WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "", {"name": "Other"}),
    ("DELETE", "", None),
    ("POST", "/add-users", {"users": [{"user_id": str(MISSING), "scopes": ["endpoint:view"]}]}),
    ("POST", "/remove-users", {"user_ids": [str(MISSING)]}),
]
ON_ONE = [*((method, path, None) for method, path in READS), *WRITES]
COLLECTION = [
    ("GET", "/projects/", None),
    ("POST", "/projects/", {"name": "Atlas"}),
    ("GET", "/projects/tags", None),
    ("GET", "/projects/tags/search?search_term=a", None),
]


@pytest.mark.parametrize(
    ("method", "path", "body"), [*COLLECTION, *((m, f"/projects/{MISSING}{p}", b) for m, p, b in ON_ONE)]
)
async def test_nobody_signed_in_is_401(
    client: httpx.AsyncClient, cast: Cast, method: str, path: str, body: Any
) -> None:
    assert (await client.request(method, path, json=body)).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), ON_ONE)
async def test_an_id_that_is_none_is_422(
    client: httpx.AsyncClient, cast: Cast, method: str, path: str, body: Any
) -> None:
    answer = await client.request(method, f"/projects/1{path}", json=body, headers=cast.admin.headers)
    assert answer.status_code == 422
    assert answer.json()["param"] == "project_id"


@pytest.mark.parametrize(("method", "path", "body"), ON_ONE)
async def test_a_foreign_tenants_project_is_as_if_it_were_not_there(
    client: httpx.AsyncClient, cast: Cast, method: str, path: str, body: Any
) -> None:
    foreign = await create(client, cast.other_admin)
    answers = [
        await client.request(method, f"/projects/{project_id}{path}", json=body, headers=cast.admin.headers)
        for project_id in (foreign["id"], MISSING)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert body_of(answers[0]) == body_of(answers[1])
    still = await client.get(f"/projects/{foreign['id']}", headers=cast.other_admin.headers)
    assert still.json()["project"] == foreign


@pytest.mark.parametrize(("method", "path", "body"), ON_ONE)
async def test_a_deleted_project_is_404(
    client: httpx.AsyncClient, cast: Cast, method: str, path: str, body: Any
) -> None:
    project = await create(client, cast.admin)
    await client.delete(f"/projects/{project['id']}", headers=cast.admin.headers)
    answer = await client.request(method, f"/projects/{project['id']}{path}", json=body, headers=cast.admin.headers)
    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path"), READS)
async def test_a_developer_reaches_only_projects_they_take_part_in(
    client: httpx.AsyncClient, cast: Cast, database: Database, method: str, path: str
) -> None:
    project = await create(client, cast.manager)
    before = await client.request(method, f"/projects/{project['id']}{path}", headers=cast.developer.headers)
    await join(database, project["id"], cast.developer)
    after = await client.request(method, f"/projects/{project['id']}{path}", headers=cast.developer.headers)
    assert (before.status_code, after.status_code) == (404, 200)


@pytest.mark.parametrize(("method", "path", "body"), [*WRITES, ("POST", "s/", {"name": "Atlas"})])
async def test_a_member_without_project_manage_is_403_at_writes(
    client: httpx.AsyncClient, cast: Cast, database: Database, method: str, path: str, body: Any
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("project:manage",))
    url = "/projects/" if path == "s/" else f"/projects/{project['id']}{path}"
    answer = await client.request(method, url, json=body, headers=cast.developer.headers)
    assert answer.status_code == 403
    assert "project:manage" in answer.json()["message"]


@pytest.mark.parametrize(("method", "path", "body"), ON_ONE)
async def test_a_client_never_reaches_an_admin_app_project_even_as_a_member(
    client: httpx.AsyncClient, cast: Cast, database: Database, method: str, path: str, body: Any
) -> None:
    project = await create(client, cast.admin)
    await join(database, project["id"], cast.client)
    answer = await client.request(method, f"/projects/{project['id']}{path}", json=body, headers=cast.client.headers)
    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path", "body"), ON_ONE)
async def test_a_manager_does_not_reach_a_clients_project_without_taking_part(
    client: httpx.AsyncClient, cast: Cast, method: str, path: str, body: Any
) -> None:
    project = await create(client, cast.client)
    answer = await client.request(method, f"/projects/{project['id']}{path}", json=body, headers=cast.manager.headers)
    assert answer.status_code == 404


async def test_a_clients_project_is_not_another_clients(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = project_row(cast.manager, "Theirs", project_type="client_app")
    await add(database, project)
    before = await client.get(f"/projects/{project.id}", headers=cast.client.headers)
    await join(database, str(project.id), cast.client)
    after = await client.get(f"/projects/{project.id}", headers=cast.client.headers)
    assert (before.status_code, after.status_code) == (404, 200)
