"""No tenant is left without an administrator, whoever asks, in whatever order, or at once."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, exists, func, select

from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import User, UserPermission
from tests.cast import Cast, Person
from tests.permissions.people import assign, make_role
from tests.permissions.test_permissions import change, grant
from tests.projects.data import add
from tests.users.test_users import colleague

EVERYTHING = ["model:manage", "project:manage", "cluster:manage", "user:manage", "benchmark:manage", "model:benchmark"]
ACTORS = ("admin", "manager", "developer")
ACTS = ("narrow", "widen", "to client", "to admin", "withdraw", "give back")
MOVES = st.tuples(st.sampled_from(ACTORS), st.sampled_from(ACTORS), st.sampled_from(ACTS))


async def become(database: Database, person: Person, **fields: Any) -> None:
    """Change a row without asking anybody."""
    async with database.write() as session:
        user = await session.get(User, person.id)
        assert user is not None
        for name, value in fields.items():
            setattr(user, name, value)


async def administrators(database: Database, tenant_id: UUID) -> int:
    counted = select(func.count()).where(
        User.tenant_id == tenant_id,
        User.status == "active",
        User.user_type == "admin",
        User.role.in_(["admin", "super_admin"]),
        User.custom_role_id.is_(None),
        ~exists().where(UserPermission.user_id == User.id, ~UserPermission.granted),
    )
    async with database.read() as session:
        return int(await session.scalar(counted) or 0)


async def deputy(client: httpx.AsyncClient, database: Database, cast: Cast) -> Person:
    """The tester, who holds everything by grants, and so is no administrator, but may manage those who are."""
    scopes = [*EVERYTHING, "endpoint:manage"]
    rows = [UserPermission(tenant_id=cast.tenant_id, user_id=cast.tester.id, scope=scope) for scope in scopes]
    await add(database, *rows)
    return cast.tester


async def test_the_last_administrator_stays_whatever_would_take_them_away(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    by = await deputy(client, database, cast)
    await become(database, cast.admin, role="developer")
    role = await make_role(client, by, "All of it", *EVERYTHING)
    url = f"/users/{cast.manager.id}"
    refused = [
        await client.delete(url, headers=by.headers),
        await client.patch(url, json={"role": "tester"}, headers=by.headers),
        await client.patch(url, json={"user_type": "client"}, headers=by.headers),
        await assign(client, by, cast.manager.id, role["id"]),
        await change(client, by, cast.manager.id, grant("model:benchmark", False)),
    ]
    assert [answer.status_code for answer in refused] == [400] * 5
    assert all("last administrator" in answer.json()["message"] for answer in refused)
    shown = (await client.get(url, headers=by.headers)).json()["user"]
    assert (shown["role"], shown["user_type"], shown["status"], shown["custom_role"]) == (
        "admin",
        "admin",
        "active",
        None,
    )


async def test_somebody_invited_or_with_a_custom_role_is_no_administrator_yet(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    by = await deputy(client, database, cast)
    role = await make_role(client, by, "All of it", *EVERYTHING)
    await become(database, cast.admin, role="admin", custom_role_id=UUID(role["id"]))
    await become(database, cast.invited, role="admin")
    assert (await client.delete(f"/users/{cast.manager.id}", headers=by.headers)).status_code == 400
    await become(database, cast.invited, status="active")
    assert (await assign(client, by, cast.manager.id, role["id"])).status_code == 200


async def test_a_refused_demotion_leaves_name_and_password_as_they_were(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    by = await deputy(client, database, cast)
    await become(database, cast.admin, role="developer")
    body = {"role": "tester", "name": "Changed", "password": "Another-Horse-2"}
    answer = await client.patch(f"/users/{cast.manager.id}", json=body, headers=by.headers)
    login = {"email": cast.manager.email, "password": "Correct-Horse-1"}
    assert (answer.status_code, (await client.post("/auth/login", json=login)).status_code) == (400, 200)


async def test_a_super_administrator_is_replaced_by_another_one_but_the_last_one_stays(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    created = await client.post("/users/", json=colleague(role="admin"), headers=cast.admin.headers)
    user_id = created.json()["user"]["id"]
    former = Person(UUID(user_id), cast.tenant_id, created.json()["user"]["email"], {})
    await become(database, former, role="super_admin", status="active")
    lesser = await client.delete(f"/users/{user_id}", headers=cast.manager.headers)
    assert lesser.status_code == 403
    demoted = await client.patch(f"/users/{user_id}", json={"role": "developer"}, headers=cast.admin.headers)
    assert (demoted.status_code, demoted.json()["user"]["role"]) == (200, "developer")
    await become(database, former, role="super_admin")
    assert (await client.delete(f"/users/{user_id}", headers=cast.admin.headers)).status_code == 200

    await become(database, cast.manager, role="super_admin")
    answers = await asyncio.gather(
        client.patch(f"/users/{cast.admin.id}", json={"user_type": "client"}, headers=cast.manager.headers),
        client.patch(f"/users/{cast.manager.id}", json={"user_type": "client"}, headers=cast.admin.headers),
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 400], [200, 403])


@pytest.mark.parametrize("field", ["name", "password"])
async def test_an_administrator_does_not_change_a_super_administrator(
    client: httpx.AsyncClient, cast: Cast, field: str
) -> None:
    body = {field: "Another-Horse-2"}
    answer = await client.patch(f"/users/{cast.admin.id}", json=body, headers=cast.manager.headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("act", ["narrow", "to client", "withdraw"])
async def test_two_who_take_each_other_away_at_once_leave_one(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database, act: str
) -> None:
    await become(database, cast.admin, role="admin")
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    for _ in range(10):
        for person in (cast.admin, cast.manager):
            await become(database, person, user_type="admin", custom_role_id=None)
        await give_all_back(database)
        components_of(app)[Callers].forget_all()
        moves = [("admin", "manager", act), ("manager", "admin", act)]
        await asyncio.gather(*(move(client, cast, role["id"], *each) for each in moves))
        assert await administrators(database, cast.tenant_id) >= 1


async def test_a_custom_role_and_the_type_of_a_client_given_at_once_do_not_break_each_other(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    for _ in range(10):
        await become(database, cast.developer, user_type="admin", custom_role_id=None)
        moves = [("admin", "developer", "narrow"), ("manager", "developer", "to client")]
        answers = await asyncio.gather(*(move(client, cast, role["id"], *each) for each in moves))
        assert {answer.status_code for answer in answers} <= {200, 400}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(st.lists(MOVES, min_size=1, max_size=3), min_size=1, max_size=6))
async def test_no_sequence_of_changes_ever_leaves_a_tenant_without_an_administrator(
    app: FastAPI,
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    turns: list[list[tuple[str, str, str]]],
) -> None:
    for name in ACTORS:
        await become(database, getattr(cast, name), role="admin", user_type="admin", custom_role_id=None)
    await give_all_back(database)
    components_of(app)[Callers].forget_all()
    found = (await client.get("/roles", headers=cast.admin.headers)).json()["roles"]
    role = found[0] if found else await make_role(client, cast.admin, "Narrow", "model:view", "user:manage")
    for turn in turns:
        answers = await asyncio.gather(*(move(client, cast, role["id"], *each) for each in turn))
        assert {answer.status_code for answer in answers} <= {200, 400, 403}
        assert await administrators(database, cast.tenant_id) >= 1


async def give_all_back(database: Database) -> None:
    async with database.write() as session:
        await session.execute(delete(UserPermission))


async def move(
    client: httpx.AsyncClient, cast: Cast, role_id: str, actor: str, target: str, act: str
) -> httpx.Response:
    by, user_id = getattr(cast, actor), getattr(cast, target).id
    if act in {"narrow", "widen"}:
        return await assign(client, by, user_id, role_id if act == "narrow" else None)
    if act in {"withdraw", "give back"}:
        return await change(client, by, user_id, grant("cluster:view", act == "give back"))
    body = {"user_type": act.removeprefix("to ")}
    return await client.patch(f"/users/{user_id}", json=body, headers=by.headers)
