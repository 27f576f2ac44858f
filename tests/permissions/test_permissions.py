"""What people may do: reading it, granting it, and taking it back."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.commons.database import Database
from budapp.commons.scopes import (
    GLOBAL_SCOPES,
    PROJECT_SCOPES,
    ROLE_SCOPES,
    UserRole,
    decide,
    scopes_of,
    with_implied,
)
from budapp.user_ops.models import UserPermission
from tests.cast import PASSWORD, Cast, Person
from tests.permissions.people import assign, make_role
from tests.projects.data import add, create, join, members_of


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


scopes = st.sets(st.sampled_from(list(GLOBAL_SCOPES)))
overrides = st.dictionaries(st.sampled_from(list(GLOBAL_SCOPES)), st.booleans())
ordinary_role = st.sampled_from([role for role in UserRole if role is not UserRole.SUPER_ADMIN])


@given(overrides, st.sampled_from(list(UserRole)))
def test_manage_always_holds_view_whatever_was_granted_and_withdrawn(decided: dict[str, bool], role: UserRole) -> None:
    held = scopes_of(role, "admin", decided)
    assert with_implied(held) == held
    withdrawn = {scope for scope, granted in decided.items() if not granted}
    if role is UserRole.SUPER_ADMIN:
        assert held >= set(ROLE_SCOPES[role])
    else:
        assert not held & withdrawn


@given(overrides, ordinary_role, scopes, scopes)
def test_ticks_are_held_afterwards_and_what_is_unticked_is_not(
    before: dict[str, bool], role: UserRole, ticked: set[str], unticked: set[str]
) -> None:
    unticked -= with_implied(ticked)
    held_by_role = scopes_of(role, "admin")
    after = decide(before, held_by_role, ticked, unticked)
    was_held, held = scopes_of(role, "admin", before), scopes_of(role, "admin", after)
    assert held >= with_implied(ticked)
    assert not held & unticked
    follows = {f"{scope.removesuffix(':view')}:manage" for scope in unticked}
    only_implied = {f"{scope.removesuffix(':manage')}:view" for scope in unticked}
    assert held - was_held <= with_implied(ticked)
    assert was_held - held <= unticked | follows | only_implied
    assert decide(after, held_by_role, ticked, unticked) == after


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


async def test_who_must_set_a_password_is_told_where(client: httpx.AsyncClient, cast: Cast) -> None:
    refused = await client.get("/projects/", headers=cast.invited.headers)
    assert (refused.status_code, refused.json()["param"]) == (403, "password")
    method, path = refused.json()["message"].rpartition(": ")[2].split()
    body = {"password": PASSWORD.replace("Horse", "Mule")}
    undone = {"password": PASSWORD}
    assert (await client.request(method, path, json=body, headers=cast.invited.headers)).status_code == 200
    assert (await client.get("/projects/", headers=cast.invited.headers)).status_code == 200
    assert (await client.request(method, path, json=undone, headers=cast.invited.headers)).status_code == 200


async def ticks(client: httpx.AsyncClient, by: Person, user_id: object) -> dict[str, bool]:
    result = (await client.get(f"/users/{user_id}/permissions", headers=by.headers)).json()["result"]
    return {entry["name"]: entry["has_permission"] for entry in result["global_scopes"]}


async def test_what_the_role_holds_can_be_withdrawn_and_given_back(client: httpx.AsyncClient, cast: Cast) -> None:
    assert (await client.get("/models/", headers=cast.developer.headers)).status_code == 200
    before = await ticks(client, cast.admin, cast.developer.id)
    answer = await change(client, cast.admin, cast.developer.id, grant("model:view", False))
    assert answer.status_code == 200
    shown = {entry["name"]: entry["has_permission"] for entry in answer.json()["result"]}
    assert shown == before | {"model:view": False, "model:manage": False}
    assert await ticks(client, cast.admin, cast.developer.id) == shown
    refused = await client.get("/models/", headers=cast.developer.headers)
    assert (refused.status_code, refused.json()["message"]) == (403, "Permission required: model:view")
    assert (await modules(client, cast.developer))["module_model"] == ["benchmark"]
    await change(client, cast.admin, cast.developer.id, grant("model:view"))
    assert await ticks(client, cast.admin, cast.developer.id) == before | {"model:manage": False}
    await change(client, cast.admin, cast.developer.id, grant("model:manage"))
    assert await ticks(client, cast.admin, cast.developer.id) == before


async def test_without_manage_there_is_still_view(client: httpx.AsyncClient, cast: Cast) -> None:
    await change(client, cast.admin, cast.developer.id, grant("benchmark:manage", False))
    assert (await modules(client, cast.developer))["module_benchmark"] == ["view"]


async def test_taking_away_what_something_given_holds_is_refused(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await change(client, cast.admin, cast.developer.id, grant("user:manage"), grant("user:view", False))
    assert answer.status_code == 400
    assert "user:view" in answer.json()["message"]
    assert "module_user" not in await modules(client, cast.developer)


async def test_what_was_withdrawn_stays_so_under_another_role(client: httpx.AsyncClient, cast: Cast) -> None:
    await change(client, cast.admin, cast.developer.id, grant("model:manage", False))
    url = f"/users/{cast.developer.id}"
    assert (await client.patch(url, json={"role": "admin"}, headers=cast.admin.headers)).status_code == 200
    held = await ticks(client, cast.admin, cast.developer.id)
    assert (held["model:manage"], held["user:manage"]) == (False, True)
    role = await make_role(client, cast.admin, "Modellers", "model:manage")
    await assign(client, cast.admin, cast.developer.id, role["id"])
    assert (await modules(client, cast.developer))["module_model"] == ["view"]


async def test_what_was_withdrawn_from_a_tenant_is_still_held_as_a_member(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("project:manage",))
    await change(client, cast.admin, cast.developer.id, grant("project:view", False))
    edited = await client.patch(f"/projects/{project['id']}", json={"name": "Ours"}, headers=cast.developer.headers)
    listed = await client.get("/projects/", headers=cast.developer.headers)
    assert (edited.status_code, listed.status_code) == (200, 403)


async def test_nobody_from_whom_something_was_withdrawn_gives_it_to_others(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    assert (await change(client, cast.admin, cast.manager.id, grant("cluster:manage", False))).status_code == 200
    given = await change(client, cast.manager, cast.developer.id, grant("cluster:manage"))
    body = {"name": "New", "email": "new@example.com", "password": PASSWORD, "role": "admin", "user_type": "admin"}
    made = await client.post("/users/", json=body, headers=cast.manager.headers)
    own = await change(client, cast.manager, cast.manager.id, grant("cluster:manage"))
    sso = await client.get(f"/admin/oauth/configurations/{cast.tenant_id}", headers=cast.manager.headers)
    assert [answer.status_code for answer in (given, made, own, sso)] == [403, 403, 400, 403]


async def test_ticks_at_creation_count_also_where_the_role_says_more(client: httpx.AsyncClient, cast: Cast) -> None:
    ticked = {"project:view", "cluster:view", "cluster:manage"}
    permissions = [grant(scope, scope in ticked) for scope in GLOBAL_SCOPES]
    body = {"name": "New", "email": "new@example.com", "password": PASSWORD, "role": "developer", "user_type": "admin"}
    made = await client.post("/users/", json=body | {"permissions": permissions}, headers=cast.admin.headers)
    assert made.status_code == 200, made.text
    shown = await ticks(client, cast.admin, made.json()["user"]["id"])
    assert {scope for scope, holds in shown.items() if holds} == ticked


async def test_the_trail_tells_what_was_withdrawn_and_given_back(client: httpx.AsyncClient, cast: Cast) -> None:
    for holds in (False, True):
        await change(client, cast.admin, cast.developer.id, grant("model:manage", holds))
    query = {"action": "permission_changed", "user_id": str(cast.developer.id)}
    listed = (await client.get("/audit/records", params=query, headers=cast.admin.headers)).json()["data"]
    entries = [(entry["resource_name"], entry["previous_state"], entry["new_state"]) for entry in reversed(listed)]
    assert [name for name, _, _ in entries] == ["model:manage", "model:manage"]
    assert entries[0][2]["granted"] is False
    assert entries[1][1]["granted"] is False
    assert entries[1][2] is None


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


async def test_nobody_gives_more_in_a_project_than_they_hold_there(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("project:manage",))
    await change(client, cast.admin, cast.developer.id, grant("user:manage"))
    refused = await change_in(client, cast.developer, cast.tester, project["id"], grant("endpoint:manage"))
    assert (refused.status_code, "endpoint:manage" in refused.json()["message"]) == (403, True)
    assert cast.tester.id not in await members_of(database, project["id"])
    given = await change_in(client, cast.developer, cast.tester, project["id"], grant("project:view"))
    assert given.status_code == 200, given.text


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
    rows = [UserPermission(tenant_id=cast.tenant_id, user_id=cast.tester.id, scope=scope) for scope in PROJECT_SCOPES]
    await add(database, *rows, UserPermission(tenant_id=cast.tenant_id, user_id=cast.tester.id, scope="project:view"))
    of_tester = await client.get(f"/permissions/{cast.tester.id}/projects", headers=cast.admin.headers)
    for project in of_tester.json()["projects"]:
        assert not any(entry["has_permission"] for entry in project["permissions"]), "they reach none of them"
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
