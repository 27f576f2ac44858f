"""Custom roles: who may make and give them, and what they do to those who have them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.main import create_app
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import User, UserPermission
from tests.cast import Cast, Person
from tests.permissions.people import assign, held, make_role
from tests.projects.data import MISSING, add, add_user


@pytest.fixture
async def replica(settings: Settings, migrated: None) -> AsyncIterator[httpx.AsyncClient]:
    """Another replica, which hears of changes over Valkey."""
    app = create_app(settings)
    listening = asyncio.create_task(components_of(app)[Callers].listen())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://replica.test") as http:
        yield http
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    await components_of(app).close()


async def grant(database: Database, person: Person, *scopes: str) -> None:
    rows = [UserPermission(tenant_id=person.tenant_id, user_id=person.id, scope=scope) for scope in scopes]
    await add(database, *rows)


async def test_a_person_does_just_what_the_custom_role_says(client: httpx.AsyncClient, cast: Cast) -> None:
    role = await make_role(client, cast.manager, "Cluster keepers", "cluster:manage")
    assert role["scopes"] == ["cluster:view", "cluster:manage"]
    answer = await assign(client, cast.manager, cast.developer.id, role["id"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["custom_role"] == {"id": role["id"], "name": "Cluster keepers"}
    assert answer.json()["user"]["role"] == "developer"
    assert await held(client, cast.developer) == {"cluster:view", "cluster:manage"}
    assert (await client.get("/projects/", headers=cast.developer.headers)).status_code == 403
    assert (await assign(client, cast.manager, cast.developer.id, None)).json()["user"]["custom_role"] is None
    assert (await client.get("/projects/", headers=cast.developer.headers)).status_code == 200


async def test_direct_grants_add_to_a_custom_role(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    role = await make_role(client, cast.manager, "Narrow", "model:view")
    await grant(database, cast.developer, "user:view")
    await assign(client, cast.manager, cast.developer.id, role["id"])
    assert await held(client, cast.developer) == {"model:view", "user:view"}


async def test_every_view_of_a_user_names_the_custom_role(client: httpx.AsyncClient, cast: Cast) -> None:
    role = await make_role(client, cast.manager, "Narrow", "model:view")
    await assign(client, cast.manager, cast.developer.id, role["id"])
    shown = {"id": role["id"], "name": "Narrow"}
    me = await client.get("/users/me", headers=cast.developer.headers)
    one = await client.get(f"/users/{cast.developer.id}", headers=cast.admin.headers)
    assert me.json()["user"]["custom_role"] == one.json()["user"]["custom_role"] == shown
    listed = (await client.get("/users/?limit=50", headers=cast.admin.headers)).json()["users"]
    by_id = {user["id"]: user["custom_role"] for user in listed}
    assert by_id.pop(str(cast.developer.id)) == shown
    assert set(map(bool, by_id.values())) == {False}


async def test_new_scopes_of_a_role_count_at_the_next_call_on_every_replica(
    client: httpx.AsyncClient, replica: httpx.AsyncClient, cast: Cast
) -> None:
    role = await make_role(client, cast.manager, "Readers", "project:view")
    for person in (cast.developer, cast.tester):
        await assign(client, cast.manager, person.id, role["id"])
        assert (await replica.get("/projects/", headers=person.headers)).status_code == 200
    changed = await client.patch(f"/roles/{role['id']}", json={"scopes": []}, headers=cast.manager.headers)
    assert changed.json()["role"]["scopes"] == []
    for person in (cast.developer, cast.tester):
        assert (await client.get("/projects/", headers=person.headers)).status_code == 403
    await asyncio.sleep(0.3)
    for person in (cast.developer, cast.tester):
        assert (await replica.get("/projects/", headers=person.headers)).status_code == 403


async def test_new_scopes_count_where_the_announcement_is_not_heard(
    client: httpx.AsyncClient, cast: Cast, settings: Settings, migrated: None
) -> None:
    deaf = create_app(settings.model_copy(update={"caller_cache_seconds": 0.5}))
    role = await make_role(client, cast.manager, "Readers", "project:view")
    await assign(client, cast.manager, cast.developer.id, role["id"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(deaf), base_url="http://deaf.test") as replica:
        assert (await replica.get("/projects/", headers=cast.developer.headers)).status_code == 200
        await client.patch(f"/roles/{role['id']}", json={"scopes": []}, headers=cast.manager.headers)
        await asyncio.sleep(0.6)
        assert (await replica.get("/projects/", headers=cast.developer.headers)).status_code == 403
    await components_of(deaf).close()


async def test_nobody_makes_changes_deletes_or_gives_a_role_that_holds_more_than_they_do(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await grant(database, cast.developer, "user:manage")
    strong = await make_role(client, cast.manager, "Strong", "endpoint:manage")
    weak = await make_role(client, cast.developer, "Weak", "model:view")
    url, headers = "/roles", cast.developer.headers
    refused = [
        await client.post(url, json={"name": "Mine", "scopes": ["endpoint:view"]}, headers=headers),
        await client.patch(f"{url}/{strong['id']}", json={"scopes": []}, headers=headers),
        await client.patch(f"{url}/{strong['id']}", json={"name": "Renamed"}, headers=headers),
        await client.patch(f"{url}/{weak['id']}", json={"scopes": ["endpoint:manage"]}, headers=headers),
        await client.delete(f"{url}/{strong['id']}", headers=headers),
        await assign(client, cast.developer, cast.tester.id, strong["id"]),
        await assign(client, cast.developer, cast.manager.id, weak["id"]),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)


async def test_taking_a_role_away_gives_nobody_more_than_the_taker_holds(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    await assign(client, cast.admin, cast.manager.id, role["id"])
    await grant(database, cast.developer, "user:manage")
    assert (await assign(client, cast.developer, cast.manager.id, None)).status_code == 403
    assert await held(client, cast.manager) == {"model:view"}


async def test_a_role_is_not_changed_under_somebody_who_holds_more_by_grants(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    await assign(client, cast.admin, cast.tester.id, role["id"])
    await grant(database, cast.tester, "cluster:manage")
    await grant(database, cast.developer, "user:manage")
    answer = await client.patch(f"/roles/{role['id']}", json={"scopes": []}, headers=cast.developer.headers)
    assert answer.status_code == 403


async def test_nobody_gives_themselves_a_role_or_changes_what_their_own_holds(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    role = await make_role(client, cast.admin, "Hiring", "user:manage", "model:view")
    assert (await assign(client, cast.manager, cast.manager.id, role["id"])).status_code == 400
    await assign(client, cast.admin, cast.developer.id, role["id"])
    own = await client.patch(f"/roles/{role['id']}", json={"scopes": []}, headers=cast.developer.headers)
    assert (own.status_code, own.json()["param"]) == (400, "scopes")


@pytest.mark.parametrize("target", ["admin", "client"])
async def test_super_administrators_and_clients_have_no_custom_role(
    client: httpx.AsyncClient, cast: Cast, database: Database, target: str
) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    async with database.write() as session:
        manager = await session.get(User, cast.manager.id)
        assert manager is not None
        manager.role = "super_admin"
    answer = await assign(client, cast.manager, getattr(cast, target).id, role["id"])
    assert answer.status_code == 400


async def test_who_becomes_a_client_keeps_neither_custom_role_nor_grants(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    await assign(client, cast.admin, cast.tester.id, role["id"])
    await grant(database, cast.tester, "cluster:manage")
    answer = await client.patch(f"/users/{cast.tester.id}", json={"user_type": "client"}, headers=cast.admin.headers)
    assert answer.json()["user"]["custom_role"] is None
    assert await held(client, cast.tester) == {"client:access", "project:view", "project:manage"}


async def test_a_name_is_there_once_in_a_tenant_whatever_its_case(client: httpx.AsyncClient, cast: Cast) -> None:
    await make_role(client, cast.admin, "Readers", "model:view")
    other = await make_role(client, cast.admin, "Writers", "model:view")
    body = {"name": " rEADERS ", "scopes": []}
    made = await client.post("/roles", json=body, headers=cast.admin.headers)
    renamed = await client.patch(f"/roles/{other['id']}", json={"name": "READERS"}, headers=cast.admin.headers)
    assert [(answer.status_code, answer.json()["param"]) for answer in (made, renamed)] == [(409, "name")] * 2
    await make_role(client, cast.other_admin, "Readers", "model:view")
    answers = await asyncio.gather(
        *(client.post("/roles", json={"name": "Race", "scopes": []}, headers=cast.admin.headers) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "  ", "scopes": []}, "name"),
        ({"name": "x" * 101, "scopes": []}, "name"),
        ({"name": "X"}, "scopes"),
        ({"name": "X", "scopes": ["client:access"]}, "scopes"),
        ({"name": "X", "scopes": ["king:crown"]}, "scopes"),
        ({"name": "X", "scopes": ["model:view,user:manage"]}, "scopes"),
        ({"name": "X", "scopes": [], "description": "x" * 501}, "description"),
    ],
)
async def test_a_malformed_role_names_the_field(
    client: httpx.AsyncClient, cast: Cast, body: dict[str, Any], field: str
) -> None:
    answer = await client.post("/roles", json=body, headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (422, field)


async def test_a_role_that_somebody_has_is_not_deleted(client: httpx.AsyncClient, cast: Cast) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    await assign(client, cast.admin, cast.invited.id, role["id"])
    refused = await client.delete(f"/roles/{role['id']}", headers=cast.admin.headers)
    assert refused.status_code == 409
    assert "1 person has" in refused.json()["message"]
    await assign(client, cast.admin, cast.invited.id, None)
    assert (await client.delete(f"/roles/{role['id']}", headers=cast.admin.headers)).status_code == 200
    assert (await client.get(f"/roles/{role['id']}", headers=cast.admin.headers)).status_code == 404


async def test_giving_and_deleting_a_role_at_once_leaves_nobody_with_a_role_that_is_gone(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    for turn in range(5):
        role = await make_role(client, cast.admin, f"Race {turn}", "model:view")
        given, deleted = await asyncio.gather(
            assign(client, cast.admin, cast.tester.id, role["id"]),
            client.delete(f"/roles/{role['id']}", headers=cast.admin.headers),
        )
        assert (given.status_code, deleted.status_code) in {(200, 409), (404, 200)}
        await assign(client, cast.admin, cast.tester.id, None)


async def test_who_comes_back_after_deletion_has_the_role_of_before(client: httpx.AsyncClient, cast: Cast) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    await assign(client, cast.admin, cast.invited.id, role["id"])
    await client.delete(f"/users/{cast.invited.id}", headers=cast.admin.headers)
    refused = await client.delete(f"/roles/{role['id']}", headers=cast.admin.headers)
    back = await client.patch(f"/users/{cast.invited.id}/reactivate", headers=cast.admin.headers)
    assert (refused.status_code, back.json()["user"]["custom_role"]["id"]) == (409, role["id"])


async def test_roles_are_listed_with_how_many_have_them(
    client: httpx.AsyncClient, cast: Cast, database: Database, statements: list[str]
) -> None:
    for name in ("Beta", "Alpha"):
        role = await make_role(client, cast.admin, name, "model:view")
    await add_user(database, cast.tenant_id, "gone", status="deleted", custom_role_id=UUID(role["id"]))
    await assign(client, cast.admin, cast.tester.id, role["id"])
    await client.get("/users/me", headers=cast.admin.headers)
    statements.clear()
    listed = (await client.get("/roles", headers=cast.admin.headers)).json()
    assert len(statements) == 1
    assert [(role["name"], role["users_count"]) for role in listed["roles"]] == [("Alpha", 1), ("Beta", 0)]
    found = (await client.get("/roles?search=true&name=BET", headers=cast.admin.headers)).json()
    assert [role["name"] for role in found["roles"]] == ["Beta"]
    statements.clear()
    holders = (await client.get(f"/roles/{role['id']}/users", headers=cast.admin.headers)).json()
    assert len(statements) <= 3
    assert [user["id"] for user in holders["users"]] == [str(cast.tester.id)]
    for query in ("name=nobody", "email=nobody@example.com", "role=devops", "status=invited", "user_type=client"):
        found = (await client.get(f"/roles/{role['id']}/users?{query}", headers=cast.admin.headers)).json()
        assert found["users"] == [], query


async def test_an_idempotency_key_makes_one_role_of_two_posts(client: httpx.AsyncClient, cast: Cast) -> None:
    headers = cast.admin.headers | {"Idempotency-Key": str(uuid4())}
    body = {"name": "Once", "scopes": ["model:view"]}
    first, second = [await client.post("/roles", json=body, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"


async def test_another_tenants_role_does_not_exist(client: httpx.AsyncClient, cast: Cast) -> None:
    foreign = await make_role(client, cast.other_admin, "Theirs", "model:view")
    own = await make_role(client, cast.admin, "Ours", "model:view")
    for role_id in (foreign["id"], str(MISSING)):
        url, headers = f"/roles/{role_id}", cast.admin.headers
        answers = [
            await client.get(url, headers=headers),
            await client.patch(url, json={"name": "X"}, headers=headers),
            await client.delete(url, headers=headers),
            await client.get(f"{url}/users", headers=headers),
            await assign(client, cast.admin, cast.tester.id, role_id),
        ]
        assert {(answer.status_code, answer.json()["message"]) for answer in answers} == {
            (404, "Custom role not found")
        }
    assert (await assign(client, cast.admin, cast.other_developer.id, own["id"])).status_code == 404
    listed = (await client.get("/roles", headers=cast.admin.headers)).json()["roles"]
    assert [role["id"] for role in listed] == [own["id"]]


async def test_the_database_itself_keeps_a_super_administrator_free_of_custom_roles(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    statement = update(User).where(User.id == cast.admin.id).values(custom_role_id=UUID(role["id"]))
    async with database.engine.connect() as connection:
        with pytest.raises(IntegrityError, match="ck_user_custom_role"):
            await connection.execute(statement)
