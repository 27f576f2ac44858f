"""Signing in as OAuth 2.0's password grant has it (RFC 6749, section 4.3): `POST /auth/login` in another form."""

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from tests.auth.test_sign_in_limits import WRONG, At, at, attempt, somewhere
from tests.cast import PASSWORD, Cast, Realms, forget_failures

__all__ = ["at"]


def grant(email: str, password: str = PASSWORD, **more: str) -> dict[str, str]:
    return {"grant_type": "password", "username": email, "password": password, **more}


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_the_right_password_gives_tokens_that_work(client: httpx.AsyncClient, cast: Cast, base: str) -> None:
    answer = await client.post(f"{base}/auth/token", data=grant(cast.developer.email))

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    document = answer.json()
    assert document["token_type"] == "bearer"
    assert document["expires_in"] > 0
    headers = {"Authorization": f"{document['token_type']} {document['access_token']}"}
    assert (await client.get("/users/me", headers=headers)).json()["user"]["id"] == str(cast.developer.id)
    renewed = await client.post("/auth/refresh-token", json={"refresh_token": document["refresh_token"]})
    assert renewed.status_code == 200


async def test_credentials_of_a_client_count_for_nothing(client: httpx.AsyncClient, cast: Cast) -> None:
    form = grant(cast.developer.email, scope="openid", client_secret="none")
    answer = await client.post("/auth/token", data=form, auth=("", ""))
    assert answer.status_code == 200


async def test_the_client_id_names_the_tenant(client: httpx.AsyncClient, cast: Cast, realms: Realms) -> None:
    identifier = realms.clients[1].realm
    answer = await client.post("/auth/token", data=grant(cast.other_admin.email, client_id=identifier))
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await client.get("/users/me", headers=headers)).json()["user"]["id"] == str(cast.other_admin.id)
    assert (await client.post("/auth/token", data=grant(cast.other_admin.email))).status_code == 400


async def test_what_is_wrong_is_answered_as_at_the_login(client: httpx.AsyncClient, cast: Cast, app: FastAPI) -> None:
    for email, password, tenant in (
        (cast.tester.email, WRONG, None),
        ("nobody@example.com", PASSWORD, None),
        (cast.tester.email, PASSWORD, "no-such-tenant"),
    ):
        login = {"email": email, "password": password} | ({"tenant": tenant} if tenant else {})
        answers = [
            await client.post("/auth/login", json=login),
            await client.post("/auth/token", data=grant(email, password, **({"client_id": tenant} if tenant else {}))),
        ]
        told = [
            {name: value for name, value in answer.json().items() if name not in {"request_id", "instance"}}
            for answer in answers
        ]
        assert [answer.status_code for answer in answers] == [400, 400]
        assert told[0] == told[1]
    await forget_failures(app)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"grant_type": "client_credentials"}, "grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "grant_type"),
        ({"grant_type": ""}, "grant_type"),
        ({"username": "x"}, "username"),
        ({"password": "y"}, "password"),
    ],
)
async def test_what_is_no_such_grant_names_the_field(
    client: httpx.AsyncClient, cast: Cast, form: dict[str, str], field: str
) -> None:
    answer = await client.post("/auth/token", data=grant(cast.developer.email) | form)
    assert answer.status_code == 422
    assert answer.json()["param"] == field
    assert answer.json()["errors"][0]["loc"] == ["body", field]
    assert PASSWORD not in answer.text


async def test_guesses_at_either_route_count_for_both(cast: Cast, at: At) -> None:
    email = cast.developer.email
    for password in (WRONG, WRONG):
        answer = await at(somewhere()).post("/auth/token", data=grant(email, password))
        assert answer.status_code == 400
    assert await attempt(at(somewhere()), email) == 400
    answer = await at(somewhere()).post("/auth/token", data=grant(email))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_an_address_has_one_ceiling_for_both_routes(
    cast: Cast, at: At, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "rate_limit_address", "2/minute")
    home = at(somewhere())
    assert await attempt(home, cast.developer.email, PASSWORD) == 200
    assert (await home.post("/auth/token", data=grant(cast.developer.email))).status_code == 200
    assert (await home.post("/auth/token", data=grant(cast.developer.email))).status_code == 429
    assert await attempt(home, cast.developer.email, PASSWORD) == 429
