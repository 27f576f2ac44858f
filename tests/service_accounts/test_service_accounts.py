from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.upkeep import tell_of_expiry
from budapp.audit.models import AuditEntry
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.gateway_ops.services import GatewayTables
from budapp.user_ops.administrators import ranks_besides
from budapp.user_ops.keycloak_mirror import KeycloakMirror
from budapp.user_ops.models import User, UserStatus
from tests.api_keys.data import make_key
from tests.cast import Cast, Realms
from tests.projects.data import MISSING, create, join, keys_of, members_of, messages
from tests.service_accounts.data import PATH, bearing, make_account, make_service_key


async def test_an_account_with_a_role_works_with_its_key(client: httpx.AsyncClient, cast: Cast) -> None:
    account = await make_account(client, cast.manager, role="admin")
    key = await make_service_key(client, cast.manager, account["id"])
    assert key["key"].startswith("bud_service_")
    assert (key["project_id"], key["user_id"], key["issued_by"]) == (None, account["id"], str(cast.manager.id))
    made = await client.post("/projects/", json={"name": "Nightly"}, headers=bearing(key))
    assert made.status_code == 200, made.text
    assert made.json()["project"]["created_by"] == account["id"]
    found = (await client.get("/projects/", headers=bearing(key))).json()["projects"]
    assert [one["project"]["name"] for one in found] == ["Nightly"]


async def test_an_account_never_holds_what_rules_over_people(client: httpx.AsyncClient, cast: Cast) -> None:
    account = await make_account(client, cast.admin, role="admin")
    assert "project:manage" in account["scopes"]
    assert not {"user:view", "user:manage", "client:access"} & set(account["scopes"])
    key = await make_service_key(client, cast.admin, account["id"])
    for method, path in (("GET", "/users/"), ("GET", "/users/me"), ("GET", PATH), ("GET", "/nowhere")):
        answer = await client.request(method, path, headers=bearing(key))
        assert (answer.status_code, answer.json()["message"]) == (
            403,
            "Service accounts can't call this; sign in as a person",
        )


async def test_without_a_role_an_account_holds_what_it_has_in_projects(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = (await create(client, cast.manager))["id"]
    await create(client, cast.manager, name="Elsewhere")
    account = await make_account(client, cast.manager, role=None)
    assert (account["role"], account["scopes"]) == (None, ["project:view"])
    key = await make_service_key(client, cast.manager, account["id"])
    assert (await client.get("/projects/", headers=bearing(key))).json()["projects"] == []
    assert (await client.get(f"/projects/{project}", headers=bearing(key))).status_code == 404
    path = f"{PATH}/{account['id']}/projects/{project}"
    answer = await client.put(path, json={"scopes": ["project:manage"]}, headers=cast.manager.headers)
    assert answer.json()["service_account"]["projects"] == [
        {"project_id": project, "name": "Atlas", "scopes": ["project:view", "project:manage"]}
    ]
    found = (await client.get("/projects/", headers=bearing(key))).json()["projects"]
    assert [one["project"]["name"] for one in found] == ["Atlas"]
    renamed = await client.patch(f"/projects/{project}", json={"name": "Renamed"}, headers=bearing(key))
    assert renamed.status_code == 200, renamed.text
    assert (await client.get("/models/", headers=bearing(key))).status_code == 403
    await client.put(path, json={"scopes": []}, headers=cast.manager.headers)
    assert UUID(account["id"]) not in await members_of(database, project)
    assert (await client.get(f"/projects/{project}", headers=bearing(key))).status_code == 404


async def test_a_custom_role_counts_for_accounts_too(client: httpx.AsyncClient, cast: Cast) -> None:
    body = {"name": "Reader", "scopes": ["model:view", "user:view"]}
    role = (await client.post("/roles", json=body, headers=cast.admin.headers)).json()["role"]
    account = await make_account(client, cast.admin, role=None, custom_role_id=role["id"])
    assert (account["role"], account["custom_role"]["name"], account["scopes"]) == (None, "Reader", ["model:view"])
    key = await make_service_key(client, cast.admin, account["id"])
    assert (await client.get("/models/", headers=bearing(key))).status_code == 200
    assert (await client.get("/projects/", headers=bearing(key))).status_code == 403
    body = {"scopes": ["project:view"]}
    await client.patch(f"/roles/{role['id']}", json=body, headers=cast.admin.headers)
    assert (await client.get("/models/", headers=bearing(key))).status_code == 403
    assert (await client.delete(f"/roles/{role['id']}", headers=cast.admin.headers)).status_code == 409


async def test_nobody_gives_an_account_more_than_they_hold(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for person in (cast.developer, cast.client, cast.invited):
        answer = await client.post(PATH, json={"name": "CI"}, headers=person.headers)
        assert answer.status_code == 403
    grant = [{"name": "user:manage", "has_permission": True}]
    await client.put(f"/permissions/{cast.developer.id}/global", json=grant, headers=cast.admin.headers)
    asked = {"name": "CI", "role": "admin"}
    assert (await client.post(PATH, json=asked, headers=cast.developer.headers)).status_code == 403
    strong = await make_account(client, cast.admin, role="admin")
    mine = f"{PATH}/{strong['id']}"
    for method, path, body in (
        ("POST", f"{mine}/keys", {"name": "key"}),
        ("PATCH", mine, {"description": "x"}),
        ("DELETE", mine, None),
    ):
        answer = await client.request(method, path, json=body, headers=cast.developer.headers)
        assert answer.status_code == 403, path
    weak = await make_account(client, cast.developer, name="Weak", role=None)
    project = (await create(client, cast.manager))["id"]
    await client.put(
        f"{PATH}/{weak['id']}/projects/{project}", json={"scopes": ["endpoint:manage"]}, headers=cast.manager.headers
    )
    answer = await client.post(f"{PATH}/{weak['id']}/keys", json={"name": "key"}, headers=cast.developer.headers)
    assert answer.status_code == 404, "it may do something in a project that the developer does not reach"
    assert (
        await client.post(PATH, json={"name": "S", "role": "super_admin"}, headers=cast.admin.headers)
    ).status_code == 422


async def test_an_account_is_no_person(
    client: httpx.AsyncClient, cast: Cast, database: Database, app: FastAPI, realms: Realms
) -> None:
    account = await make_account(client, cast.admin, role="admin")
    headers = cast.admin.headers
    listed = (await client.get("/users/", params={"limit": 100}, headers=headers)).json()["users"]
    assert account["id"] not in [one["id"] for one in listed]
    assert (await client.get(f"/users/{account['id']}", headers=headers)).status_code == 404
    assert (await client.delete(f"/users/{account['id']}", headers=headers)).status_code == 404
    permissions = await client.put(f"/permissions/{account['id']}/global", json=[], headers=headers)
    assert permissions.status_code == 404
    project = (await create(client, cast.manager))["id"]
    body = {"users": [{"user_id": account["id"], "scopes": ["endpoint:view"]}]}
    assert (await client.post(f"/projects/{project}/add-users", json=body, headers=headers)).status_code == 404
    async with database.read() as session:
        user = await session.get_one(User, UUID(account["id"]))
        admin = await session.get_one(User, cast.manager.id)
        others = await ranks_besides(session, admin)
    assert others == {"super_admin"}, "it does not count as an administrator"
    await components_of(app)[KeycloakMirror].mirror_tenant(cast.tenant_id, realms.clients[0].realm)
    async with database.read() as session:
        user = await session.get_one(User, UUID(account["id"]))
    assert (user.status, user.role) == (UserStatus.ACTIVE, "admin"), "the mirror lets it be"
    login = {"email": user.email, "password": "Correct-Horse-1"}
    assert (await client.post("/auth/login", json=login)).status_code in {400, 422}


async def test_what_it_does_stands_under_its_name_in_the_trail(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    account = await make_account(client, cast.manager, name="Nightly build", role="admin")
    key = await make_service_key(client, cast.manager, account["id"])
    await client.post("/projects/", json={"name": "Nightly"}, headers=bearing(key))
    await client.delete(f"{PATH}/{account['id']}", headers=cast.manager.headers)
    params: dict[str, str | int] = {"resource_type": "project", "limit": 100}
    records = (await client.get("/audit/records", params=params, headers=cast.admin.headers)).json()
    found = next(value for value in records.values() if isinstance(value, list))
    [made] = [one for one in found if one["action"] == "create"]
    assert made["actioned_by"] == account["id"]
    assert "Nightly build" in str(made)
    async with database.read() as session:
        entries = await session.scalars(select(AuditEntry).where(AuditEntry.resource_type == "api_key"))
        assert all(key["key"] not in str(vars(entry)) for entry in entries)


async def test_a_key_in_a_project_also_opens_the_gateway(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database
) -> None:
    project = (await create(client, cast.manager))["id"]
    account = await make_account(client, cast.manager, role="developer")
    body = {"name": "key", "project_id": project}
    refused = await client.post(f"{PATH}/{account['id']}/keys", json=body, headers=cast.manager.headers)
    assert refused.status_code == 404
    path = f"{PATH}/{account['id']}/projects/{project}"
    await client.put(path, json={"scopes": ["endpoint:view"]}, headers=cast.manager.headers)
    key = await make_service_key(client, cast.manager, account["id"], project_id=project)
    lonely = await make_service_key(client, cast.manager, account["id"], name="lonely")
    keys = (await client.get(f"{PATH}/{account['id']}/keys", headers=cast.manager.headers)).json()["keys"]
    assert [(one["name"], one["project_id"]) for one in keys] == [("lonely", None), ("key", project)]
    assert not {key["key"], lonely["key"]} & {one["key"] for one in keys}
    names = []
    async with database.read() as session:
        async for found, _ in components_of(app)[GatewayTables]._all(session, cast.tenant_id):
            names += [name for name in found if name.startswith("api_key:")]
    assert len(names) == 1
    await client.put(path, json={"scopes": []}, headers=cast.manager.headers)
    assert await keys_of(database, project) == []
    assert (await client.get("/projects/", headers=bearing(key))).status_code == 401
    assert (await client.get("/projects/", headers=bearing(lonely))).status_code == 200


async def test_names_are_taken_once_and_lists_are_searched(client: httpx.AsyncClient, cast: Cast) -> None:
    await make_account(client, cast.manager, name="Build")
    await make_account(client, cast.manager, name="Deploy", description="Rolls out")
    again = await client.post(PATH, json={"name": "build"}, headers=cast.manager.headers)
    assert (again.status_code, again.json()["param"]) == (409, "name")
    query: dict[str, str | bool] = {"search": True, "name": "dep"}
    page = (await client.get(PATH, params=query, headers=cast.manager.headers)).json()
    [found] = page["service_accounts"]
    assert (found["name"], found["key_count"], found["enabled"]) == ("Deploy", 0, True)
    both = {"name": "X", "role": "tester", "custom_role_id": str(MISSING)}
    assert (await client.post(PATH, json=both, headers=cast.manager.headers)).status_code == 422


async def test_who_made_a_key_hears_that_it_expires(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    account = await make_account(client, cast.manager)
    await client.put("/credentials/settings", json={"default_expiry_days": 5}, headers=cast.admin.headers)
    await make_service_key(client, cast.manager, account["id"], name="weekly")
    assert await tell_of_expiry(database) == 1
    _, payload = (await messages(database))[-1]
    assert payload["subscriber_ids"] == [str(cast.manager.id)]
    assert "service account" in str(payload)


async def test_an_explanation_says_that_a_route_takes_no_accounts(client: httpx.AsyncClient, cast: Cast) -> None:
    account = await make_account(client, cast.manager, role="admin")
    for path, allowed in (("/projects/", True), ("/users/me", False)):
        query = {"user_id": account["id"], "method": "GET", "path": path}
        answer = await client.get("/permissions/explain", params=query, headers=cast.admin.headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        found = body.get("explanation", body.get("result", body))
        assert found["allowed"] is allowed, body


async def test_deleted_people_leave_their_accounts_behind(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    account = await make_account(client, cast.manager, role="tester")
    key = await make_service_key(client, cast.manager, account["id"])
    gone = await client.delete(f"/users/{cast.manager.id}?remove_credential=true", headers=cast.admin.headers)
    assert gone.status_code == 200, gone.text
    assert (await client.get("/projects/", headers=bearing(key))).status_code == 200
    async with database.read() as session:
        assert await session.scalar(select(Credential.name)) == "key"
    back = await client.patch(f"/users/{cast.manager.id}/reactivate", headers=cast.admin.headers)
    assert back.status_code == 200, "the account at Keycloak is every test's"


async def test_a_deleted_account_leaves_no_key_behind(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    account, other = [await make_account(client, cast.manager, name=name) for name in ("gone", "kept")]
    for each in (account, other):
        await make_service_key(client, cast.manager, each["id"])
    gone = await client.delete(f"{PATH}/{account['id']}", headers=cast.manager.headers)
    assert gone.status_code == 200, gone.text
    async with database.read() as session:
        owners = await session.scalars(select(Credential.user_id))
        assert [str(owner) for owner in owners] == [other["id"]]


@pytest.mark.parametrize("where", ["other", "missing"])
async def test_foreign_accounts_and_keys_are_not_there(client: httpx.AsyncClient, cast: Cast, where: str) -> None:
    account = await make_account(client, cast.manager)
    key = await make_service_key(client, cast.manager, account["id"])
    headers = cast.other_admin.headers if where == "other" else cast.admin.headers
    account_id = account["id"] if where == "other" else str(MISSING)
    for method, path in (
        ("GET", f"{PATH}/{account_id}"),
        ("DELETE", f"{PATH}/{account_id}"),
        ("GET", f"{PATH}/{account_id}/keys"),
        ("DELETE", f"{PATH}/{account_id}/keys/{key['id']}"),
    ):
        assert (await client.request(method, path, headers=headers)).status_code == 404, path
    own = await make_key(client, cast.manager, (await create(client, cast.manager))["id"])
    path = f"{PATH}/{account['id']}/keys/{own['id']}"
    assert (await client.delete(path, headers=cast.manager.headers)).status_code == 404, "a person's key"
    body = {"grace_seconds": 0}
    assert (await client.post(f"{path}/rotate", json=body, headers=cast.manager.headers)).status_code == 404


async def test_nobody_gives_an_account_more_in_a_project_than_they_hold_there(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    grant = [{"name": "user:manage", "has_permission": True}]
    await client.put(f"/permissions/{cast.developer.id}/global", json=grant, headers=cast.admin.headers)
    account = await make_account(client, cast.developer, role=None)
    project = (await create(client, cast.manager))["id"]
    await join(database, project, cast.developer, scopes=("project:manage",))
    path = f"{PATH}/{account['id']}/projects/{project}"
    for scopes, status in ((["endpoint:manage"], 403), (["project:view"], 200)):
        answer = await client.put(path, json={"scopes": scopes}, headers=cast.developer.headers)
        assert answer.status_code == status, answer.text


async def test_an_account_takes_no_part_in_a_customers_project_and_does_not_keep_one_alive(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    account = await make_account(client, cast.manager, role=None)

    async def join_as_account(project: str) -> int:
        path = f"{PATH}/{account['id']}/projects/{project}"
        answer = await client.put(path, json={"scopes": ["project:view"]}, headers=cast.manager.headers)
        return answer.status_code

    customers = (await create(client, cast.client))["id"]
    await join(database, customers, cast.manager, scopes=("project:manage",))
    assert await join_as_account(customers) == 400
    ours = (await create(client, cast.manager))["id"]
    assert await join_as_account(ours) == 200
    leaving = {"user_ids": [str(cast.manager.id)]}
    answer = await client.post(f"/projects/{ours}/remove-users", json=leaving, headers=cast.manager.headers)
    assert answer.status_code == 400, "no person would remain"


async def test_a_disabled_account_gets_no_secret(client: httpx.AsyncClient, cast: Cast) -> None:
    account = await make_account(client, cast.manager)
    key = await make_service_key(client, cast.manager, account["id"])
    path, headers = f"{PATH}/{account['id']}", cast.manager.headers
    await client.patch(path, json={"enabled": False}, headers=headers)
    made = await client.post(f"{path}/keys", json={"name": "other"}, headers=headers)
    rotated = await client.post(f"{path}/keys/{key['id']}/rotate", json={"grace_seconds": 0}, headers=headers)
    assert (made.status_code, rotated.status_code) == (400, 400)
