import asyncio
import time
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from budapp.auth.schemas import Login
from budapp.auth.services import AuthService
from budapp.auth.tokens import unverified_claims
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from tests.cast import PASSWORD, Cast


def body(email: str, password: str = PASSWORD, **more: object) -> dict[str, object]:
    return {"email": email, "password": password, **more}


async def test_the_right_password_gives_tokens_that_work(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/auth/login", json=body(cast.admin.email, user_type="admin"))

    assert answer.status_code == 200
    document = answer.json()
    assert document["first_login"] is False
    assert document["is_reset_password"] is False
    assert document["token"]["token_type"] == "Bearer"
    headers = {"Authorization": f"Bearer {document['token']['access_token']}"}
    assert (await client.get("/users/me", headers=headers)).json()["user"]["id"] == str(cast.admin.id)


async def test_an_email_in_capitals_is_the_same_account(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/auth/login", json=body(cast.admin.email.upper(), user_type="admin"))
    assert answer.status_code == 200


async def test_the_versioned_path_signs_in_too(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/v1/auth/login", json=body(cast.developer.email))
    assert answer.status_code == 200


async def test_remember_me_gives_a_refresh_token_that_outlives_the_session(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    answer = await client.post("/auth/login", json=body(cast.developer.email, remember_me=True))
    token = answer.json()["token"]
    assert "offline_access" in token["scope"]
    assert token["refresh_expires_in"] == 0


async def test_every_way_to_fail_answers_the_same_body_and_never_sooner(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "login_failure_seconds", 0.4)
    auth = components_of(app)[AuthService]
    access = await auth._access()
    forgetful, locked = (f"{name}-{time.time_ns()}@example.com" for name in ("forgetful", "locked"))
    for email in (forgetful, locked):  # of nobody who signs in in other tests
        await client.post("/auth/register", json={"name": "Forgetful", "email": email, "password": PASSWORD})
    for _ in range(components_of(app)[Settings].keycloak_failures_before_lock + 1):
        await auth._sign_in(Login(email=locked, password="Wrong-Password-1"), access)
    tries = {
        "wrong password": body(forgetful, "Wrong-Password-1"),
        "unknown account": body("nobody@example.com"),
        "locked account": body(locked),
        "client where an administrator is asked for": body(cast.client.email, user_type="admin"),
        "unknown tenant": body(cast.admin.email, tenant_id=str(uuid4())),
        "account of another tenant": body(cast.other_admin.email),
    }
    bodies, quickest = [], []
    for request in tries.values():
        times = []
        for _ in range(2):
            started = time.monotonic()
            answer = await client.post("/auth/login", json=request)
            times.append(time.monotonic() - started)
            assert answer.status_code == 400
            bodies.append({name: value for name, value in answer.json().items() if name != "request_id"})
        quickest.append(min(times))

    assert all(found == bodies[0] for found in bodies)
    assert min(quickest) >= components_of(app)[Settings].login_failure_seconds


async def test_a_refused_sign_in_leaves_no_session_behind(client: httpx.AsyncClient, cast: Cast, app: FastAPI) -> None:
    keycloak, realm = components_of(app)[Keycloak], components_of(app)[Settings].default_realm_name
    auth_id = unverified_claims(cast.client.tokens["access_token"])["sub"]
    before = set(await keycloak.session_ids(realm, auth_id))
    answer = await client.post("/auth/login", json=body(cast.client.email, user_type="admin"))
    assert answer.status_code == 400
    assert set(await keycloak.session_ids(realm, auth_id)) == before


async def test_the_other_tenants_people_sign_in_with_their_tenant_id(client: httpx.AsyncClient, cast: Cast) -> None:
    request = body(cast.other_admin.email, tenant_id=str(cast.other_tenant_id))
    answer = await client.post("/auth/login", json=request)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['token']['access_token']}"}
    me = (await client.get("/users/me", headers=headers)).json()
    assert me["user"]["id"] == str(cast.other_admin.id)


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        ({"email": "x", "password": PASSWORD}, "email"),
        ({"email": "someone@example.com", "password": "y"}, "password"),
        ({"password": PASSWORD}, "email"),
        ({"email": "someone@example.com", "password": PASSWORD, "user_type": "king"}, "user_type"),
    ],
)
async def test_a_malformed_login_names_the_field(
    client: httpx.AsyncClient, cast: Cast, request_body: dict[str, object], field: str
) -> None:
    answer = await client.post("/auth/login", json=request_body)
    assert answer.status_code == 422
    document = answer.json()
    assert document["param"] == field
    assert document["errors"][0]["loc"] == ["body", field]
    assert PASSWORD not in answer.text


async def test_parallel_sign_ins_with_the_right_password_all_succeed(client: httpx.AsyncClient, cast: Cast) -> None:
    answers = await asyncio.gather(*(client.post("/auth/login", json=body(cast.developer.email)) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
