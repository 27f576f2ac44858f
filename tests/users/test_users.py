import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.user_ops.models import User
from tests.cast import PASSWORD, Cast, Person
from tests.projects.data import add, credential_row, keys_of, messages
from tests.projects.data import create as create_project

NEW_PASSWORD = "Another-Horse-2"


def colleague(**more: object) -> dict[str, Any]:
    return {
        "name": "Colleague",
        "email": f"colleague-{time.time_ns()}@example.com",
        "password": PASSWORD,
        "role": "developer",
        "user_type": "admin",
        "permissions": [],
    } | more


async def create(client: httpx.AsyncClient, cast: Cast, **more: object) -> dict[str, Any]:
    answer = await client.post("/users/", json=colleague(**more), headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    user: dict[str, Any] = answer.json()["user"]
    return user


async def login(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/auth/login", json={"email": email, "password": password})


async def signed_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> dict[str, str]:
    answer = await login(client, email, password)
    return {"Authorization": f"Bearer {answer.json()['token']['access_token']}"}


async def test_me_is_the_caller(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.get("/users/me", headers=cast.developer.headers)
    assert answer.json() == {
        "object": "user.me",
        "success": True,
        "message": "User found",
        "user": {
            "id": str(cast.developer.id),
            "name": "developer",
            "email": cast.developer.email,
            "color": "#E57333",
            "role": "developer",
            "status": "active",
            "company": None,
            "purpose": None,
            "user_type": "admin",
            "custom_role": None,
        },
    }


async def test_an_invited_colleague_must_change_the_password_and_is_active_then(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    user = await create(client, cast)
    assert user["status"] == "invited"
    first = await login(client, user["email"])
    assert first.json()["is_reset_password"] is True
    headers = await signed_in(client, user["email"])
    assert (await client.get("/projects/", headers=headers)).status_code == 403
    early = await client.patch(f"/users/{user['id']}", json={"name": "Early"}, headers=headers)
    assert early.status_code == 400

    changed = await client.patch(f"/users/{user['id']}", json={"password": NEW_PASSWORD}, headers=headers)
    assert changed.status_code == 200
    assert changed.json()["user"]["status"] == "active"
    assert (await client.get("/projects/", headers=headers)).status_code == 200
    assert (await login(client, user["email"])).status_code == 400
    again = (await login(client, user["email"], NEW_PASSWORD)).json()
    assert (again["first_login"], again["is_reset_password"]) == (False, False)


async def test_changing_someone_elses_password_changes_theirs_not_ones_own(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    user = await create(client, cast)
    headers = await signed_in(client, user["email"])
    answer = await client.patch(f"/users/{user['id']}", json={"password": NEW_PASSWORD}, headers=cast.admin.headers)
    assert answer.status_code == 200
    assert (await login(client, cast.admin.email, PASSWORD)).status_code == 200
    theirs = await login(client, user["email"], NEW_PASSWORD)
    assert theirs.json()["is_reset_password"] is True
    assert (await client.get("/users/me", headers=headers)).status_code == 401


async def test_changing_ones_own_password_ends_ones_other_sessions_only(client: httpx.AsyncClient, cast: Cast) -> None:
    user = await create(client, cast)
    here, elsewhere = await signed_in(client, user["email"]), await signed_in(client, user["email"])
    remembered = await client.post(
        "/auth/login", json={"email": user["email"], "password": PASSWORD, "remember_me": True}
    )
    offline = remembered.json()["token"]
    await client.patch(f"/users/{user['id']}", json={"password": NEW_PASSWORD}, headers=here)
    assert (await client.get("/users/me", headers=here)).status_code == 200
    assert (await client.get("/users/me", headers=elsewhere)).status_code == 401
    refreshed = await client.post("/auth/refresh-token", json={"refresh_token": offline["refresh_token"]})
    assert refreshed.status_code == 401


async def test_a_developer_changes_themselves_but_nobody_else(client: httpx.AsyncClient, cast: Cast) -> None:
    own = f"/users/{cast.developer.id}"
    answer = await client.patch(own, json={"company": "Acme"}, headers=cast.developer.headers)
    assert answer.json()["user"]["company"] == "Acme"
    other = await client.patch(f"/users/{cast.tester.id}", json={"name": "X"}, headers=cast.developer.headers)
    assert other.status_code == 403


@pytest.mark.parametrize("change", [{"role": "admin"}, {"role": ["admin"]}, {"user_type": "client"}])
async def test_nobody_changes_their_own_role(client: httpx.AsyncClient, cast: Cast, change: dict[str, Any]) -> None:
    answer = await client.patch(f"/users/{cast.developer.id}", json=change, headers=cast.developer.headers)
    assert answer.status_code == 400
    assert answer.json()["param"] == "role"
    me = (await client.get("/users/me", headers=cast.developer.headers)).json()["user"]
    assert (me["role"], me["user_type"]) == ("developer", "admin")


async def test_a_new_role_counts_at_the_next_call(client: httpx.AsyncClient, cast: Cast) -> None:
    assert (await client.get("/users/", headers=cast.developer.headers)).status_code == 403
    change = await client.patch(f"/users/{cast.developer.id}", json={"role": "admin"}, headers=cast.admin.headers)
    assert change.status_code == 200
    assert (await client.get("/users/", headers=cast.developer.headers)).status_code == 200
    back = await client.patch(f"/users/{cast.developer.id}", json={"role": "developer"}, headers=cast.admin.headers)
    assert back.status_code == 200
    assert (await client.get("/users/", headers=cast.developer.headers)).status_code == 403


async def test_nobody_manages_someone_who_may_do_more(client: httpx.AsyncClient, cast: Cast, app: FastAPI) -> None:
    granted = [{"name": "user:manage", "has_permission": True}]
    user = await create(client, cast, permissions=granted)
    headers = await signed_in(client, user["email"])
    await client.patch(f"/users/{user['id']}", json={"password": NEW_PASSWORD}, headers=headers)
    assert (await client.get("/users/", headers=headers)).status_code == 200
    takeover = await client.patch(f"/users/{cast.admin.id}", json={"password": NEW_PASSWORD}, headers=headers)
    assert takeover.status_code == 403
    assert (await client.delete(f"/users/{cast.manager.id}", headers=headers)).status_code == 403
    promoted = await client.post("/users/", json=colleague(role="admin"), headers=headers)
    assert promoted.status_code == 403
    wider = await client.post(
        "/users/", json=colleague(permissions=[{"name": "cluster:manage", "has_permission": True}]), headers=headers
    )
    assert wider.status_code == 403


async def test_a_granted_permission_counts(client: httpx.AsyncClient, cast: Cast) -> None:
    permissions = [
        {"name": "user:manage", "has_permission": True},
        {"name": "cluster:manage", "has_permission": False},
    ]
    user = await create(client, cast, permissions=permissions)
    headers = await signed_in(client, user["email"])
    await client.patch(f"/users/{user['id']}", json={"password": NEW_PASSWORD}, headers=headers)
    mine = (await client.get("/users/me/permissions", headers=headers)).json()["permissions"]
    modules = {entry["rsname"]: entry["scopes"] for entry in mine}
    assert modules["module_user"] == ["view", "manage"]
    assert modules["module_cluster"] == ["view"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "super_admin"}, "role"),
        ({"role": "king"}, "role"),
        ({"email": "nonsense"}, "email"),
        ({"password": "weak"}, "password"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"permissions": [{"name": "endpoint:manage", "has_permission": True}]}, "permissions"),
    ],
)
async def test_a_malformed_user_names_the_field(
    client: httpx.AsyncClient, cast: Cast, change: dict[str, Any], field: str
) -> None:
    answer = await client.post("/users/", json=colleague(**change), headers=cast.admin.headers)
    assert answer.status_code == 422
    assert answer.json()["param"] == field


async def test_a_taken_email_is_409(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/users/", json=colleague(email=cast.tester.email), headers=cast.admin.headers)
    assert answer.status_code == 409
    assert answer.json()["param"] == "email"


async def test_the_same_email_may_be_in_two_tenants(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/users/", json=colleague(email=cast.tester.email), headers=cast.other_admin.headers)
    assert answer.status_code == 200


async def test_an_idempotency_key_makes_one_user_of_two_posts(client: httpx.AsyncClient, cast: Cast) -> None:
    headers = cast.admin.headers | {"Idempotency-Key": str(uuid4())}
    body = colleague()
    first, second = [await client.post("/users/", json=body, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"


async def test_an_idempotency_key_is_held_while_keycloak_is_asked(client: httpx.AsyncClient, cast: Cast) -> None:
    headers = cast.admin.headers | {"Idempotency-Key": str(uuid4())}
    body = colleague()
    first = asyncio.create_task(client.post("/users/", json=body, headers=headers))
    answers = []
    while not first.done():
        answers.append(await client.post("/users/", json=body, headers=headers))
    answers.append(await first)
    assert len([answer for answer in answers if answer.status_code == 200 and not is_replayed(answer)]) == 1
    refused = [answer.json()["param"] for answer in answers if answer.status_code != 200]
    assert set(refused) == {"Idempotency-Key"}
    again = await client.post("/users/", json=body, headers=headers)
    assert again.status_code == 200
    assert is_replayed(again)


def is_replayed(answer: httpx.Response) -> bool:
    return "idempotent-replayed" in answer.headers


async def test_a_deleted_user_is_out_at_once_and_can_come_back(client: httpx.AsyncClient, cast: Cast) -> None:
    user = await create(client, cast)
    headers = await signed_in(client, user["email"])
    assert (await client.get("/users/me", headers=headers)).status_code == 200
    assert (await client.delete(f"/users/{user['id']}", headers=cast.admin.headers)).status_code == 200
    assert (await client.get("/users/me", headers=headers)).status_code == 401
    assert (await login(client, user["email"])).status_code == 400
    again = await client.delete(f"/users/{user['id']}", headers=cast.admin.headers)
    assert again.status_code == 400

    back = await client.patch(f"/users/{user['id']}/reactivate", headers=cast.admin.headers)
    assert back.json()["user"]["status"] == "active"
    assert (await client.get("/users/me", headers=headers)).status_code == 401
    assert (await login(client, user["email"])).status_code == 200
    twice = await client.patch(f"/users/{user['id']}/reactivate", headers=cast.admin.headers)
    assert twice.status_code == 400


@pytest.mark.parametrize("target", ["admin", "manager"])
async def test_neither_oneself_nor_a_super_administrator_is_deleted(
    client: httpx.AsyncClient, cast: Cast, target: str
) -> None:
    person = getattr(cast, target)
    answer = await client.delete(f"/users/{person.id}", headers=person.headers)
    assert answer.status_code == 400


async def test_listing_filters_searches_orders_and_pages(client: httpx.AsyncClient, cast: Cast) -> None:
    async def emails(**params: str | int) -> list[str]:
        answer = await client.get("/users/", params=params, headers=cast.admin.headers)
        assert answer.status_code == 200, answer.text
        return [user["email"].partition("@")[0] for user in answer.json()["users"]]

    assert await emails(order_by="name") == ["admin", "client", "developer", "invited", "manager", "tester"]
    assert await emails(order_by="-email", limit=2) == ["tester", "manager"]
    assert await emails(user_type="client") == ["client"]
    assert await emails(role="tester") == ["tester"]
    assert await emails(status="invited") == ["invited"]
    assert await emails(email="MAN", search="true") == ["manager"]
    assert await emails(email="MAN") == []
    assert await emails(name="MANAGER", email="MANAGER", search="true") == ["manager"]
    assert await emails(name="manager", email="@nowhere", search="true") == ["manager"]
    assert await emails(name="e", email="e", search="true", role="tester") == ["tester"]
    assert await emails(name="manager", email="tester@example.com") == []
    assert await emails(name="%", search="true") == []
    assert await emails(order_by="name", page=2, limit=4) == ["manager", "tester"]


async def test_deleted_people_are_listed_only_when_asked_for(client: httpx.AsyncClient, cast: Cast) -> None:
    await client.delete(f"/users/{cast.invited.id}", headers=cast.admin.headers)
    default = (await client.get("/users/?limit=100", headers=cast.admin.headers)).json()
    deleted = (await client.get("/users/?status=deleted", headers=cast.admin.headers)).json()
    assert str(cast.invited.id) not in {user["id"] for user in default["users"]}
    assert [user["id"] for user in deleted["users"]] == [str(cast.invited.id)]
    await client.patch(f"/users/{cast.invited.id}/reactivate", headers=cast.admin.headers)


async def test_the_other_tenants_people_do_not_exist(client: httpx.AsyncClient, cast: Cast) -> None:
    missing = await client.get(f"/users/{uuid4()}", headers=cast.admin.headers)
    assert missing.status_code == 404
    calls = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("PATCH", "/reactivate")]
    for method, suffix in calls:
        path = f"/users/{cast.other_developer.id}{suffix}"
        answer = await client.request(method, path, json={"name": "X"}, headers=cast.admin.headers)
        assert answer.status_code == 404
        assert answer.json()["message"] == missing.json()["message"]
    listed = (await client.get("/users/?limit=100", headers=cast.admin.headers)).json()
    assert listed["total_record"] == 6


async def test_reading_users_costs_one_statement(client: httpx.AsyncClient, cast: Cast, statements: list[str]) -> None:
    await client.get("/users/me", headers=cast.admin.headers)
    for path in ("/users/", f"/users/{cast.developer.id}"):
        statements.clear()
        assert (await client.get(path, headers=cast.admin.headers)).status_code == 200
        assert len(statements) == 1


async def test_onboarding_is_completed_once(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    refused = await client.patch("/users/onboard", headers=cast.developer.headers)
    assert refused.status_code == 400
    async with database.write() as session:
        user = await session.get(User, cast.developer.id)
        assert user is not None
        user.first_login = True
    done = await client.patch("/users/onboard", headers=cast.developer.headers)
    assert done.json()["success"] is True
    assert (await client.patch("/users/onboard", headers=cast.developer.headers)).status_code == 400


async def test_a_client_may_not_hold_permissions(client: httpx.AsyncClient, cast: Cast) -> None:
    body = colleague(user_type="client", permissions=[{"name": "user:manage", "has_permission": True}])
    answer = await client.post("/users/", json=body, headers=cast.admin.headers)
    assert answer.status_code == 400


async def test_who_becomes_a_client_keeps_no_permission_granted_before(client: httpx.AsyncClient, cast: Cast) -> None:
    user = await create(client, cast)
    grants = [{"name": "cluster:manage", "has_permission": True}, {"name": "user:manage", "has_permission": True}]
    changed = await client.put(f"/permissions/{user['id']}/global", json=grants, headers=cast.admin.headers)
    assert changed.status_code == 200
    await signed_in(client, user["email"])
    as_client = await client.patch(
        f"/users/{user['id']}", json={"user_type": "client", "password": NEW_PASSWORD}, headers=cast.admin.headers
    )
    assert as_client.status_code == 200, as_client.text
    headers = await signed_in(client, user["email"], NEW_PASSWORD)
    entries = (await client.get("/users/me/permissions", headers=headers)).json()["permissions"]
    assert {entry["rsname"] for entry in entries} == {"module_client", "module_project"}


@pytest.mark.parametrize("change", [{"name": "per%cent"}, {"name": "semi;colon", "password": NEW_PASSWORD}])
async def test_a_name_that_keycloak_refuses_is_422_and_changes_nothing(
    client: httpx.AsyncClient, cast: Cast, change: dict[str, str]
) -> None:
    user = await create(client, cast)
    answer = await client.patch(f"/users/{user['id']}", json=change, headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (422, "name")
    assert (await login(client, user["email"])).status_code == 200


async def test_an_email_that_keycloak_refuses_is_422(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/users/", json=colleague(email="i\u0307@example.com"), headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (422, "email")


async def test_disabling_shows_on_a_replica_that_hears_nothing(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "caller_cache_seconds", 0.5)
    user = await create(client, cast)
    headers = await signed_in(client, user["email"])
    assert (await client.get("/users/me", headers=headers)).status_code == 200
    async with components_of(app)[Database].write() as session:
        row = await session.get(User, user["id"])
        assert row is not None
        row.status = "deleted"
    assert (await client.get("/users/me", headers=headers)).status_code == 200
    await asyncio.sleep(0.6)
    assert (await client.get("/users/me", headers=headers)).status_code == 401


async def test_whoever_is_subscribed_is_made_known_once_more(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    answer = await client.post(f"/users/{cast.developer.id}/subscribe", headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["object"]) == (200, "user.subscribe")
    (message, payload), *_ = await messages(database)
    assert (message.path, message.aggregate) == ("subscribers", f"user:{cast.developer.id}")
    assert payload == {
        "subscriber_id": str(cast.developer.id),
        "email": cast.developer.email,
        "first_name": "developer",
    }


async def test_nobody_subscribes_the_deleted_the_unreachable_or_those_above_them(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    user = await create(client, cast)
    await client.delete(f"/users/{user['id']}", headers=cast.admin.headers)
    cases = [
        (user["id"], cast.admin, 400),
        (cast.other_developer.id, cast.admin, 404),
        (uuid4(), cast.admin, 404),
        (cast.developer.id, cast.tester, 403),
        (cast.admin.id, cast.manager, 403),
    ]
    before = len(await messages(database))
    for user_id, person, expected in cases:
        answer = await client.post(f"/users/{user_id}/subscribe", headers=person.headers)
        assert answer.status_code == expected, (expected, answer.text)
    assert len(await messages(database)) == before


async def test_the_notification_service_hears_of_a_new_name_a_deletion_and_a_return(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    user_id = (await create(client, cast))["id"]
    path = f"/users/{user_id}"
    assert (await client.patch(path, json={"name": "Renamed"}, headers=cast.admin.headers)).status_code == 200
    assert (await client.delete(path, headers=cast.admin.headers)).status_code == 200
    assert (await client.patch(f"{path}/reactivate", headers=cast.admin.headers)).status_code == 200
    told = [(row, payload) for row, payload in await messages(database) if row.aggregate == f"user:{user_id}"]
    assert [(row.method, row.path) for row, _ in told] == [
        ("POST", "subscribers"),
        ("PUT", f"subscribers/{user_id}"),
        ("DELETE", f"subscribers/{user_id}"),
        ("POST", "subscribers"),
    ]
    assert [payload["first_name"] for _, payload in told if payload] == ["Colleague", "Renamed", "Renamed"]


async def test_a_deleted_users_keys_go_with_them_unless_that_is_refused(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    user_id = (await create(client, cast))["id"]
    project = await create_project(client, cast.manager)
    person = Person(UUID(user_id), cast.tenant_id, "", {})
    await add(database, credential_row(project["id"], person, "theirs"), credential_row(project["id"], cast.manager))
    refused = await client.delete(f"/users/{user_id}?remove_credential=false", headers=cast.admin.headers)
    assert (refused.status_code, refused.json()["param"]) == (400, "remove_credential")
    assert await keys_of(database, project["id"]) == ["key", "theirs"]
    assert (await client.delete(f"/users/{user_id}", headers=cast.admin.headers)).status_code == 200
    assert await keys_of(database, project["id"]) == ["key"]
