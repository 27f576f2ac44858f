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


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("person", ["developer", "client"])
async def test_a_member_without_project_manage_there_is_403_at_writes(
    client: httpx.AsyncClient, cast: Cast, database: Database, method: str, path: str, body: Any, person: str
) -> None:
    project_type = "client_app" if person == "client" else "admin_app"
    project = project_row(cast.manager, "Theirs", project_type=project_type)
    await add(database, project)
    member = getattr(cast, person)
    await join(database, str(project.id), member, scopes=("project:view", "endpoint:manage"))
    answer = await client.request(method, f"/projects/{project.id}{path}", json=body, headers=member.headers)
    assert answer.status_code == 403
    assert "project:manage" in answer.json()["message"]


async def test_nobody_makes_projects_without_project_manage_for_the_tenant(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    answer = await client.post("/projects/", json={"name": "Atlas"}, headers=cast.developer.headers)
    assert answer.status_code == 403
    assert "project:manage" in answer.json()["message"]


async def test_a_member_with_project_manage_manages_that_project(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("project:manage",))
    url, headers = f"/projects/{project['id']}", cast.developer.headers
    assert (await client.patch(url, json={"name": "Renamed"}, headers=headers)).status_code == 200
    users = {"users": [{"user_id": str(cast.tester.id), "scopes": ["project:view"]}]}
    assert (await client.post(f"{url}/add-users", json=users, headers=headers)).status_code == 200
    assert (await client.delete(url, headers=headers)).status_code == 200


async def test_a_member_gives_no_more_than_they_hold_in_the_project(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("project:manage",))
    users = {"users": [{"user_id": str(cast.tester.id), "scopes": ["endpoint:manage"]}]}
    url = f"/projects/{project['id']}/add-users"
    answer = await client.post(url, json=users, headers=cast.developer.headers)
    assert answer.status_code == 403
    assert "endpoint:manage" in answer.json()["message"]


async def test_a_member_who_manages_one_project_invites_nobody_into_the_tenant(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("project:manage",))
    users = {"users": [{"email": "stranger@example.com", "scopes": ["project:view"]}]}
    url = f"/projects/{project['id']}/add-users"
    assert (await client.post(url, json=users, headers=cast.developer.headers)).status_code == 403


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
