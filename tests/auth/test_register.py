import asyncio
import time
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.scopes import UserRole
from budapp.integrations.keycloak import Keycloak, NewUser
from budapp.user_ops.models import User, UserPermission
from tests.cast import PASSWORD, Cast
from tests.refused_commits import refusing


def newcomer(**more: object) -> dict[str, object]:
    email = f"newcomer-{time.time_ns()}@example.com"
    return {"name": "New Comer", "email": email, "password": PASSWORD, "role": "developer", **more}


async def test_a_newcomer_registers_signs_in_and_is_a_client(client: httpx.AsyncClient, cast: Cast) -> None:
    data = newcomer(company="Acme", user_type="client")
    answer = await client.post("/auth/register", json=data)
    assert answer.status_code == 200, answer.text
    login = await client.post("/auth/login", json={"email": data["email"], "password": PASSWORD})
    assert login.status_code == 200
    headers = {"Authorization": f"Bearer {login.json()['token']['access_token']}"}
    me = (await client.get("/users/me", headers=headers)).json()["user"]
    assert (me["user_type"], me["status"], me["company"]) == ("client", "active", "Acme")
    projects = (await client.get("/projects/", headers=headers)).json()["projects"]
    assert [item["project"]["name"] for item in projects] == ["My First Project"]


@pytest.mark.parametrize("role", ["admin", "super_admin", "devops"])
async def test_nobody_registers_as_more_than_a_client(
    client: httpx.AsyncClient, cast: Cast, database: Database, app: FastAPI, role: str
) -> None:
    data = newcomer(role=role, user_type="admin", permissions=[{"name": "user:manage", "has_permission": True}])
    assert (await client.post("/auth/register", json=data)).status_code == 200
    async with database.read() as session:
        user = await session.scalar(select(User).where(User.email == data["email"]))
        assert user is not None
        assert (user.role, user.user_type) == ("developer", "client")
        assert (await session.scalars(select(UserPermission))).all() == []
    login = await client.post("/auth/login", json={"email": data["email"], "password": PASSWORD})
    headers = {"Authorization": f"Bearer {login.json()['token']['access_token']}"}
    assert (await client.get("/users/", headers=headers)).status_code == 403


async def test_a_taken_email_is_409_in_whatever_case(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/auth/register", json=newcomer(email=cast.developer.email.upper()))
    assert answer.status_code == 409
    assert answer.json()["param"] == "email"


async def test_an_identity_that_only_keycloak_knows_is_not_taken_over(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    data = newcomer()
    admin = components_of(app)[Keycloak].admin(components_of(app)[Settings].default_realm_name)
    await admin.a_create_user({"username": data["email"], "email": data["email"], "enabled": True})
    assert (await client.post("/auth/register", json=data)).status_code == 409


async def test_an_identity_that_we_failed_to_keep_is_made_anew_once_it_is_nobodys(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = newcomer()
    keycloak, realm = components_of(app)[Keycloak], components_of(app)[Settings].default_realm_name
    left = await keycloak.create_user(realm, NewUser(str(data["email"]), "Left", "Other-Horse-1", [UserRole.DEVELOPER]))
    assert (await client.post("/auth/register", json=data)).status_code == 409, "another request may be about to commit"
    monkeypatch.setattr("budapp.integrations.keycloak._ORPHAN_AGE", timedelta(0))
    assert (await client.post("/auth/register", json=data)).status_code == 200
    assert await keycloak.find_user(realm, str(data["email"])) != left
    login = {"email": data["email"], "password": PASSWORD}
    assert (await client.post("/auth/login", json=login)).status_code == 200


async def test_an_identity_that_somebody_has_is_never_made_anew(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = newcomer()
    keycloak, realm = components_of(app)[Keycloak], components_of(app)[Settings].default_realm_name
    assert (await client.post("/auth/register", json=data)).status_code == 200
    async with database.write() as session:
        user = (await session.scalars(select(User).where(User.email == data["email"]))).one()
        user.email = f"other-{data['email']}"
    monkeypatch.setattr("budapp.integrations.keycloak._ORPHAN_AGE", timedelta(0))
    assert (await client.post("/auth/register", json=data)).status_code == 409
    assert await keycloak.find_user(realm, str(data["email"])) == user.auth_id


async def test_parallel_registrations_of_one_email_make_one_user(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    data = newcomer()
    answers = await asyncio.gather(*(client.post("/auth/register", json=data) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    login = await client.post("/auth/login", json={"email": data["email"], "password": PASSWORD})
    assert login.status_code == 200


async def test_a_registration_that_fails_to_commit_leaves_no_identity(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database
) -> None:
    data = newcomer()
    async with refusing(database, "user", "insert"):
        assert (await client.post("/auth/register", json=data)).status_code == 500
    assert (
        await components_of(app)[Keycloak].find_user(
            components_of(app)[Settings].default_realm_name, str(data["email"])
        )
        is None
    )
    assert (await client.post("/auth/register", json=data)).status_code == 200


@pytest.mark.parametrize("password", ["no-digit-Here", "no-upper-1", "NO-LOWER-1", "NoPunctuation1", "with Space-1A"])
async def test_a_weak_password_is_422_and_says_what_is_missing(
    client: httpx.AsyncClient, cast: Cast, password: str
) -> None:
    answer = await client.post("/auth/register", json=newcomer(password=password))
    assert answer.status_code == 422
    assert answer.json()["param"] == "password"
    assert password not in answer.text


async def test_registrations_from_one_address_are_limited(
    app: FastAPI, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "rate_limit_register", "2/10 minutes")
    transport = httpx.ASGITransport(app, client=(f"test-{time.time_ns()}", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as http:
        answers = [(await http.post("/auth/register", json=newcomer(email=cast.admin.email))) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [409, 409, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
