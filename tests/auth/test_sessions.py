"""Renewing tokens, signing out, and how fast either shows."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.main import create_app
from budapp.user_ops.callers import Callers
from tests.cast import PASSWORD, Cast


async def sign_in(client: httpx.AsyncClient, email: str, **more: object) -> dict[str, Any]:
    answer = await client.post("/auth/login", json={"email": email, "password": PASSWORD, **more})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()["token"]
    return tokens


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/auth/refresh-token", json={"refresh_token": token})


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_a_refresh_token_gives_new_tokens(client: httpx.AsyncClient, cast: Cast) -> None:
    tokens = await sign_in(client, cast.developer.email)
    expired = {"Authorization": "Bearer expired"}
    answer = await client.post("/auth/refresh-token", json={"refresh_token": tokens["refresh_token"]}, headers=expired)
    assert answer.status_code == 200
    child = answer.json()["token"]
    assert child["refresh_token"] != tokens["refresh_token"]
    assert (await client.get("/users/me", headers=bearer(child))).status_code == 200


async def test_fifty_parallel_refreshes_of_one_token_give_one_child(client: httpx.AsyncClient, cast: Cast) -> None:
    tokens = await sign_in(client, cast.developer.email)
    answers = await asyncio.gather(*(refresh(client, tokens["refresh_token"]) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["token"]["refresh_token"] for answer in answers}) == 1


async def test_late_reuse_of_a_refresh_token_ends_the_session(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    tokens = await sign_in(client, cast.developer.email)
    child = (await refresh(client, tokens["refresh_token"])).json()["token"]
    await asyncio.sleep(components_of(app)[Settings].refresh_reuse_seconds + 0.5)

    assert (await refresh(client, tokens["refresh_token"])).status_code == 401
    assert (await client.get("/users/me", headers=bearer(child))).status_code == 401
    assert (await refresh(client, child["refresh_token"])).status_code == 401


async def test_what_is_no_refresh_token_is_401(client: httpx.AsyncClient, cast: Cast) -> None:
    for token in ("nonsense", cast.admin.tokens["access_token"], cast.admin.tokens["id_token"]):
        assert (await refresh(client, token)).status_code == 401
    assert (await client.get("/users/me", headers=cast.admin.headers)).status_code == 200


async def test_an_empty_refresh_token_is_422(client: httpx.AsyncClient, cast: Cast) -> None:
    assert (await refresh(client, "")).status_code == 422


async def test_logout_ends_the_access_token_and_the_refresh_token(client: httpx.AsyncClient, cast: Cast) -> None:
    tokens = await sign_in(client, cast.developer.email)
    assert (await client.get("/users/me", headers=bearer(tokens))).status_code == 200
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await client.post("/auth/logout", json=body, headers=bearer(tokens))).status_code == 200
    assert (await client.get("/users/me", headers=bearer(tokens))).status_code == 401
    assert (await refresh(client, tokens["refresh_token"])).status_code == 401


async def test_logout_works_without_an_access_token_and_twice(client: httpx.AsyncClient, cast: Cast) -> None:
    tokens = await sign_in(client, cast.developer.email)
    body = {"refresh_token": tokens["refresh_token"]}
    for _ in range(2):
        assert (await client.post("/auth/logout", json=body)).status_code == 200
    assert (await client.get("/users/me", headers=bearer(tokens))).status_code == 401


async def test_logout_with_someone_elses_forged_session_ends_nothing(client: httpx.AsyncClient, cast: Cast) -> None:
    victim = await sign_in(client, cast.developer.email)
    head, payload, _ = victim["refresh_token"].split(".")
    forged = {"refresh_token": f"{head}.{payload}.AAAA"}
    assert (await client.post("/auth/logout", json=forged)).status_code == 200
    assert (await client.get("/users/me", headers=bearer(victim))).status_code == 200


async def test_other_sessions_of_the_same_person_live_on(client: httpx.AsyncClient, cast: Cast) -> None:
    first, second = await sign_in(client, cast.developer.email), await sign_in(client, cast.developer.email)
    await client.post("/auth/logout", json={"refresh_token": first["refresh_token"]}, headers=bearer(first))
    assert (await client.get("/users/me", headers=bearer(second))).status_code == 200


async def test_logout_shows_on_another_replica_at_once(client: httpx.AsyncClient, cast: Cast, app: FastAPI) -> None:
    tokens = await sign_in(client, cast.developer.email)
    replica = create_app(components_of(app)[Settings])
    listening = asyncio.create_task(components_of(replica)[Callers].listen())
    transport = httpx.ASGITransport(replica)
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as other:
        await asyncio.sleep(0.3)
        assert (await other.get("/users/me", headers=bearer(tokens))).status_code == 200
        await client.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]}, headers=bearer(tokens))
        await asyncio.sleep(0.3)
        assert (await other.get("/users/me", headers=bearer(tokens))).status_code == 401
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await components_of(replica).close()
