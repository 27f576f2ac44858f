"""What people may do: reading it, granting it, and taking it back."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.commons.database import Database
from budapp.commons.scopes import ROLE_SCOPES, Scope, UserRole, scopes_of, with_implied
from tests.cast import Cast, Person
from tests.projects.data import create, join


def grant(name: str, holds: bool = True) -> dict[str, Any]:
    return {"name": name, "has_permission": holds}


async def change(client: httpx.AsyncClient, by: Person, user_id: UUID, *grants: dict[str, Any]) -> httpx.Response:
    return await client.put(f"/permissions/{user_id}/global", json=list(grants), headers=by.headers)


async def change_in(
    client: httpx.AsyncClient, by: Person, user: Person, project_id: str, *grants: dict[str, Any]
) -> httpx.Response:
    body = [{"user_id": str(user.id), "project_id": project_id, "permissions": list(grants)}]
    return await client.patch("/permissions/project", json=body, headers=by.headers)


async def mine(client: httpx.AsyncClient, person: Person) -> dict[str, list[str]]:
    entries = (await client.get("/users/me/permissions", headers=person.headers)).json()["permissions"]
    return {f"{entry['rsid']} {entry['rsname']}": entry["scopes"] for entry in entries}


async def modules(client: httpx.AsyncClient, person: Person) -> dict[str, list[str]]:
    return {name.partition(" ")[2]: scopes for name, scopes in (await mine(client, person)).items()}


@given(st.sets(st.sampled_from(list(Scope))), st.sampled_from(list(UserRole)))
def test_manage_always_holds_view_and_a_role_is_never_narrowed(granted: set[str], role: UserRole) -> None:
    held = scopes_of(role, "admin", granted)
    assert held >= with_implied(granted) >= granted
    assert held >= set(ROLE_SCOPES[role])
    assert {f"{scope.removesuffix(':manage')}:view" for scope in held if scope.endswith(":manage")} <= held
    assert with_implied(held) == held


async def test_my_permissions_speak_the_two_shapes_that_the_frontend_checks(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("endpoint:manage",))
    held = await mine(client, cast.developer)
    names = {name.partition(" ")[2] for name in held}
    assert {"module_model", "module_project", "module_cluster"} <= names
    assert held[f"{project['id']} endpoint:manage"] == ["manage"]
    assert f"{project['id']} URN::project::{project['id']}" in held
    assert f"{project['id']} project:manage" not in held


async def test_a_clients_permissions_are_those_of_their_own_projects(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.client)
    held = await mine(client, cast.client)
    assert f"{project['id']} project:manage" in held
    assert "module_user" not in {name.partition(" ")[2] for name in held}


async def test_a_grant_counts_at_the_next_call_and_so_does_taking_it_back(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    assert (await client.get("/users/", headers=cast.developer.headers)).status_code == 403
    granted = await change(client, cast.admin, cast.developer.id, grant("user:manage"))
    assert granted.status_code == 200, granted.text
    result = {entry["name"]: entry["has_permission"] for entry in granted.json()["result"]}
    assert result["user:manage"] is result["user:view"] is True
    assert granted.json()["permissions"] == granted.json()["result"]
    assert (await client.get("/users/", headers=cast.developer.headers)).status_code == 200
    await change(client, cast.admin, cast.developer.id, grant("user:manage", False))
    assert (await client.get("/users/", headers=cast.developer.headers)).status_code == 403


async def test_granting_twice_is_granting_once(client: httpx.AsyncClient, cast: Cast) -> None:
    answers = await asyncio.gather(
        *(change(client, cast.admin, cast.developer.id, grant("user:view")) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert "view" in (await modules(client, cast.developer))["module_user"]


async def test_nobody_grants_what_they_do_not_hold(client: httpx.AsyncClient, cast: Cast) -> None:
    await change(client, cast.admin, cast.developer.id, grant("user:manage"))
    answer = await change(client, cast.developer, cast.tester.id, grant("cluster:manage"))
    assert answer.status_code == 403
    assert "cluster:manage" in answer.json()["message"]
    assert "manage" not in (await modules(client, cast.tester)).get("module_cluster", [])


async def test_nobody_changes_someone_who_may_do_more_or_themselves(client: httpx.AsyncClient, cast: Cast) -> None:
    await change(client, cast.admin, cast.developer.id, grant("user:manage"))
    above = await change(client, cast.developer, cast.manager.id, grant("user:view", False))
    assert above.status_code == 403
    own = await change(client, cast.developer, cast.developer.id, grant("model:view"))
    assert own.status_code == 400


@pytest.mark.parametrize("target", ["admin", "client"])
async def test_super_administrators_and_clients_are_fixed(client: httpx.AsyncClient, cast: Cast, target: str) -> None:
    by = cast.manager if target == "client" else cast.admin
    answer = await change(client, by, getattr(cast, target).id, grant("model:view"))
    assert answer.status_code == 400


@pytest.mark.parametrize("kept", ["model:view", "project:view"])
async def test_what_the_role_holds_is_not_taken_back_in_silence(
    client: httpx.AsyncClient, cast: Cast, kept: str
) -> None:
    answer = await change(client, cast.admin, cast.developer.id, grant(kept, False), grant("user:view"))
    assert answer.status_code == 400
    assert kept in answer.json()["message"]
    assert "module_user" not in await modules(client, cast.developer)


@pytest.mark.parametrize(
    "body", [[grant("endpoint:manage")], [grant("king:crown")], [grant("user:view"), grant("user:view", False)], {}]
)
async def test_a_malformed_grant_is_422(client: httpx.AsyncClient, cast: Cast, body: Any) -> None:
    url = f"/permissions/{cast.developer.id}/global"
    assert (await client.put(url, json=body, headers=cast.admin.headers)).status_code == 422


async def test_permissions_of_a_person_show_tenant_and_projects(
    client: httpx.AsyncClient, cast: Cast, database: Database, statements: list[str]
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("endpoint:view",))
    await client.get("/users/me", headers=cast.admin.headers)
    statements.clear()
    answer = await client.get(f"/users/{cast.developer.id}/permissions", headers=cast.admin.headers)
    assert len(statements) <= 3
    result = answer.json()["result"]
    assert {entry["name"]: entry["has_permission"] for entry in result["global_scopes"]}["model:manage"] is True
    [found] = result["project_scopes"]
    assert (found["id"], found["name"]) == (project["id"], project["name"])
    assert found["permissions"][:2] == [grant("endpoint:view"), grant("endpoint:manage", False)]


async def test_a_project_permission_makes_a_member_changes_them_and_unmakes_them(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    project = await create(client, cast.manager)
    url = f"/projects/{project['id']}"
    assert (await client.get(url, headers=cast.developer.headers)).status_code == 404
    assert (await change_in(client, cast.admin, cast.developer, project["id"], grant("endpoint:manage"))).is_success
    assert (await client.get(url, headers=cast.developer.headers)).status_code == 200
    assert f"{project['id']} endpoint:view" in await mine(client, cast.developer)
    await change_in(client, cast.admin, cast.developer, project["id"], grant("endpoint:manage", False))
    assert f"{project['id']} endpoint:manage" not in await mine(client, cast.developer)
    await change_in(client, cast.admin, cast.developer, project["id"], grant("endpoint:view", False))
    assert (await client.get(url, headers=cast.developer.headers)).status_code == 404


async def test_project_permissions_change_all_or_none(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.manager)
    body = [
        {"user_id": str(cast.developer.id), "project_id": project["id"], "permissions": [grant("endpoint:view")]},
        {"user_id": str(cast.tester.id), "project_id": str(uuid4()), "permissions": [grant("endpoint:view")]},
    ]
    answer = await client.patch("/permissions/project", json=body, headers=cast.admin.headers)
    assert answer.status_code == 404
    assert (await client.get(f"/projects/{project['id']}", headers=cast.developer.headers)).status_code == 404


async def test_a_client_is_not_let_into_an_administrators_project(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.manager)
    answer = await change_in(client, cast.admin, cast.client, project["id"], grant("endpoint:view"))
    assert answer.status_code == 400


async def test_the_last_member_is_not_unmade(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.manager)
    off = [grant(scope, False) for scope in ("endpoint:view", "endpoint:manage", "project:view", "project:manage")]
    assert (await change_in(client, cast.admin, cast.manager, project["id"], *off)).status_code == 400


async def test_projects_of_a_person_are_listed_with_what_they_may_do_in_each(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    ours, theirs = [await create(client, cast.manager, name=name) for name in ("Ours", "Theirs")]
    await join(database, ours["id"], cast.developer, scopes=("endpoint:view",))
    url = f"/permissions/{cast.developer.id}/projects"
    listed = (await client.get(url, params={"order_by": "name"}, headers=cast.admin.headers)).json()
    assert listed["total_record"] == 2
    assert [project["name"] for project in listed["projects"]] == ["Ours", "Theirs"]
    assert listed["projects"][0]["permissions"] == [grant("endpoint:view"), grant("endpoint:manage", False)]
    assert not any(entry["has_permission"] for entry in listed["projects"][1]["permissions"])
    found = (await client.get(url, params={"search": "true", "name": "their"}, headers=cast.admin.headers)).json()
    assert [project["id"] for project in found["projects"]] == [theirs["id"]]
    everywhere = await client.get(f"/permissions/{cast.manager.id}/projects", headers=cast.admin.headers)
    for project in everywhere.json()["projects"]:
        assert all(entry["has_permission"] for entry in project["permissions"])


async def test_another_tenants_people_and_projects_do_not_exist(client: httpx.AsyncClient, cast: Cast) -> None:
    foreign = await create(client, cast.other_admin)
    stranger = cast.other_developer
    answers = [
        await client.get(f"/users/{stranger.id}/permissions", headers=cast.admin.headers),
        await client.get(f"/permissions/{stranger.id}/projects", headers=cast.admin.headers),
        await change(client, cast.admin, stranger.id, grant("model:view")),
        await change_in(client, cast.admin, cast.developer, foreign["id"], grant("endpoint:view")),
    ]
    own = await create(client, cast.manager)
    answers.append(await change_in(client, cast.admin, stranger, own["id"], grant("endpoint:view")))
    assert [answer.status_code for answer in answers] == [404] * 5
