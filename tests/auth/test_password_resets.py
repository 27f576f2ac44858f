import asyncio
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from budapp.auth.models import PasswordReset
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.events.models import OutboxMessage
from budapp.events.outbox import open_payload
from budapp.integrations.keycloak import Keycloak
from budapp.user_ops.models import User
from tests.cast import PASSWORD, Cast

NEW_PASSWORD = "Another-Horse-2"


@pytest.fixture
async def someone(client: httpx.AsyncClient, cast: Cast) -> str:
    """The e-mail of a user whose password may change."""
    email = f"forgetful-{time.time_ns()}@example.com"
    await client.post("/auth/register", json={"name": "Forgetful", "email": email, "password": PASSWORD})
    return email


async def ask(client: httpx.AsyncClient, email: str) -> httpx.Response:
    return await client.post("/users/reset-password", json={"email": email})


async def mails(database: Database) -> list[dict[str, Any]]:
    async with database.write() as session:
        rows = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
        payloads = [open_payload(row, session) for row in rows]
    return [p["payload"]["content"] for p in payloads if p and p.get("name") == "bud-reset-password"]


async def use(client: httpx.AsyncClient, token: str, password: str = NEW_PASSWORD, **more: str) -> httpx.Response:
    body = {"token": token, "new_password": password, "confirm_password": password, **more}
    return await client.post("/users/reset-password-with-token", json=body)


async def login(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post("/auth/login", json={"email": email, "password": password})


async def test_the_mailed_link_sets_a_new_password_once_and_ends_every_session(
    client: httpx.AsyncClient, someone: str, database: Database
) -> None:
    tokens = (await login(client, someone, PASSWORD)).json()["token"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await ask(client, someone)).json()["acknowledged"] is True
    [mail] = await mails(database)
    assert mail["reset_url"].endswith(f"/reset-password?token={mail['token']}")
    valid = (await client.post("/users/validate-reset-token", json={"token": mail["token"]})).json()
    assert (valid["is_valid"], valid["email"]) == (True, someone)

    assert (await client.get("/users/me", headers=headers)).status_code == 200
    assert (await use(client, mail["token"])).status_code == 200
    assert (await client.get("/users/me", headers=headers)).status_code == 401, "though it was known just now"
    assert (await login(client, someone, PASSWORD)).status_code == 400
    assert (await login(client, someone, NEW_PASSWORD)).status_code == 200
    assert (await use(client, mail["token"])).status_code == 400
    spent = (await client.post("/users/validate-reset-token", json={"token": mail["token"]})).json()
    assert (spent["is_valid"], spent["email"]) == (False, None)


async def test_a_link_leads_clients_and_administrators_to_their_own_frontend(
    client: httpx.AsyncClient,
    cast: Cast,
    someone: str,
    database: Database,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = components_of(app)[Settings]
    monkeypatch.setattr(settings, "frontend_url", "https://clients.example/")
    monkeypatch.setattr(settings, "admin_frontend_url", "https://staff.example")
    await ask(client, someone)
    await ask(client, cast.tester.email)
    assert [mail["reset_url"].partition("?")[0] for mail in await mails(database)] == [
        "https://clients.example/reset-password",
        "https://staff.example/reset-password",
    ]


async def test_parallel_uses_of_one_link_set_one_password(
    client: httpx.AsyncClient, someone: str, database: Database
) -> None:
    await ask(client, someone)
    [mail] = await mails(database)
    answers = await asyncio.gather(*(use(client, mail["token"], f"Parallel-Horse-{n}") for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


async def test_a_newer_link_replaces_the_older(client: httpx.AsyncClient, someone: str, database: Database) -> None:
    await ask(client, someone)
    await ask(client, someone)
    first, second = await mails(database)
    assert (await use(client, first["token"])).status_code == 400
    assert (await use(client, second["token"])).status_code == 200


async def test_an_old_link_is_refused(client: httpx.AsyncClient, someone: str, database: Database) -> None:
    await ask(client, someone)
    [mail] = await mails(database)
    async with database.write() as session:
        reset = (await session.scalars(select(PasswordReset))).one()
        reset.expires_at = now() - timedelta(seconds=1)
    assert (await use(client, mail["token"])).status_code == 400


async def test_the_token_does_not_lie_in_the_database(
    client: httpx.AsyncClient, someone: str, database: Database
) -> None:
    await ask(client, someone)
    [mail] = await mails(database)
    async with database.read() as session:
        reset = (await session.scalars(select(PasswordReset))).one()
        rows = (await session.scalars(select(OutboxMessage))).all()
    assert mail["token"] not in reset.token_hash
    assert not any(mail["token"] in str(row.payload) + str(row.payload_encrypted) for row in rows)


async def test_a_known_and_an_unknown_email_are_answered_alike_and_never_sooner(
    client: httpx.AsyncClient, someone: str, database: Database, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "login_failure_seconds", 0.4)
    bodies, quickest = [], []
    for email in (someone, "nobody@example.com"):
        times = []
        for _ in range(2):
            started = time.monotonic()
            answer = await ask(client, email)
            times.append(time.monotonic() - started)
            bodies.append({name: value for name, value in answer.json().items() if name != "transaction_id"})
        quickest.append(min(times))
    assert all(body == bodies[0] for body in bodies)
    assert min(quickest) >= components_of(app)[Settings].login_failure_seconds
    assert len(await mails(database)) == 2


async def id_of(database: Database, email: str) -> str:
    async with database.read() as session:
        return str((await session.scalars(select(User.id).where(User.email == email))).one())


async def test_a_link_from_before_a_deletion_counts_no_more(
    client: httpx.AsyncClient, cast: Cast, someone: str, database: Database
) -> None:
    await ask(client, someone)
    [mail] = await mails(database)
    path, headers = f"/users/{await id_of(database, someone)}", cast.admin.headers
    assert (await client.delete(path, headers=headers)).status_code == 200
    assert (await client.patch(f"{path}/reactivate", headers=headers)).status_code == 200
    assert (await use(client, mail["token"])).status_code == 400


@pytest.mark.parametrize("own", [True, False])
async def test_a_link_from_before_a_change_of_the_password_counts_no_more(
    client: httpx.AsyncClient, cast: Cast, someone: str, database: Database, own: bool
) -> None:
    tokens = (await login(client, someone, PASSWORD)).json()["token"]
    await ask(client, someone)
    [mail] = await mails(database)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"} if own else cast.admin.headers
    path = f"/users/{await id_of(database, someone)}"
    changed = await client.patch(path, json={"password": "Chosen-Horse-3"}, headers=headers)
    assert changed.status_code == 200, changed.text
    assert (await use(client, mail["token"])).status_code == 400
    assert (await login(client, someone, "Chosen-Horse-3")).status_code == 200


async def test_a_deleted_user_gets_no_link(client: httpx.AsyncClient, someone: str, database: Database) -> None:
    async with database.write() as session:
        user = (await session.scalars(select(User).where(User.email == someone))).one()
        user.status = "deleted"
    await ask(client, someone)
    assert await mails(database) == []


async def test_a_failing_keycloak_leaves_the_link_usable(
    client: httpx.AsyncClient, someone: str, database: Database, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(client, someone)
    [mail] = await mails(database)
    url = components_of(app)[Keycloak]._settings.keycloak_server_url
    admin = components_of(app)[Keycloak].admin(components_of(app)[Settings].default_realm_name)
    monkeypatch.setattr(admin.connection, "base_url", "http://127.0.0.1:9/")
    assert (await use(client, mail["token"])).status_code == 503
    monkeypatch.setattr(admin.connection, "base_url", f"{url}/")
    assert (await use(client, mail["token"])).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [({"new_password": "weak"}, "new_password"), ({"confirm_password": "Different-1"}, "confirm_password")],
)
async def test_a_weak_or_differing_password_is_422(
    client: httpx.AsyncClient, cast: Cast, change: dict[str, str], field: str
) -> None:
    body = {"token": "x", "new_password": NEW_PASSWORD, "confirm_password": NEW_PASSWORD} | change
    answer = await client.post("/users/reset-password-with-token", json=body)
    assert answer.status_code == 422
    assert answer.json()["param"] == field


async def test_asking_too_often_is_429(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "rate_limit_reset", "2/hour")
    email = f"often-{time.time_ns()}@example.com"
    answers = []
    for number in range(3):
        transport = httpx.ASGITransport(app, client=(f"{email}-{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as other:
            answers.append((await ask(other, email)).status_code)
    assert answers == [200, 200, 429]
