"""Renewing tokens, signing out, and how fast either shows."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis

from budapp.audit.models import AuditEntry
from budapp.auth.token_refresh import TokenRefresh
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.encryption import Encryption
from budapp.commons.errors import Unauthenticated, Unavailable
from budapp.integrations.valkey import connect_valkey
from budapp.main import create_app
from budapp.user_ops.callers import Callers
from tests.audit.data import entries
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


@asynccontextmanager
async def severable(settings: Settings) -> AsyncIterator[tuple[Redis, Callable[[], Awaitable[None]]]]:
    """Give a client of the real Valkey, through a relay, and a function that cuts it off for good."""
    url = httpx.URL(settings.tensorzero_redis_url.get_secret_value())
    open_writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(url.host, url.port)
        open_writers.extend([writer, there_writer])
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    relay = await asyncio.start_server(serve, "127.0.0.1", 0)

    async def sever() -> None:
        relay.close()
        for writer in open_writers:
            writer.close()

    through = url.copy_with(host="127.0.0.1", port=relay.sockets[0].getsockname()[1])
    valkey = connect_valkey(settings.model_copy(update={"tensorzero_redis_url": SecretStr(str(through))}))
    yield valkey, sever
    await sever()
    await valkey.aclose()


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


async def past_the_grace_time(app: FastAPI) -> None:
    await asyncio.sleep(components_of(app)[Settings].refresh_reuse_seconds + 0.5)


async def test_a_refused_token_is_refused_at_once_however_often_it_comes(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    assert (await refresh(client, "no-such-token")).status_code == 401
    await past_the_grace_time(app)
    async with asyncio.timeout(5):
        assert (await refresh(client, "no-such-token")).status_code == 401


@pytest.mark.parametrize("pause", [0, 1.1], ids=["in one second", "seconds apart"])
async def test_reuse_of_a_token_two_rotations_old_ends_the_session_and_is_on_the_trail(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database, pause: float
) -> None:
    first = await sign_in(client, cast.developer.email)
    await asyncio.sleep(pause)
    second = (await refresh(client, first["refresh_token"])).json()["token"]
    await asyncio.sleep(pause)
    third = (await refresh(client, second["refresh_token"])).json()["token"]
    assert (await client.get("/users/me", headers=bearer(third))).status_code == 200
    await past_the_grace_time(app)

    assert (await refresh(client, first["refresh_token"])).status_code == 401
    assert (await client.get("/users/me", headers=bearer(third))).status_code == 401
    assert (await refresh(client, third["refresh_token"])).status_code == 401
    session_id = jwt.decode(first["access_token"], options={"verify_signature": False})["sid"]
    ended = await entries(database, AuditEntry.action == "logout", AuditEntry.user_id == cast.developer.id)
    details = [entry.details for entry in ended if entry.details and session_id in entry.details["sessions"]]
    assert [found["reason"] for found in details] == ["refresh token reused"]


async def test_a_remembered_session_ends_by_reuse_too(client: httpx.AsyncClient, cast: Cast, app: FastAPI) -> None:
    first = await sign_in(client, cast.developer.email, remember_me=True)
    second = (await refresh(client, first["refresh_token"])).json()["token"]
    third = (await refresh(client, second["refresh_token"])).json()["token"]
    await past_the_grace_time(app)
    assert (await refresh(client, first["refresh_token"])).status_code == 401
    assert (await refresh(client, third["refresh_token"])).status_code == 401
    assert (await client.get("/users/me", headers=bearer(third))).status_code == 401


async def test_a_session_lives_on_through_many_renewals(client: httpx.AsyncClient, cast: Cast) -> None:
    tokens = await sign_in(client, cast.developer.email)
    for _ in range(5):
        answer = await refresh(client, tokens["refresh_token"])
        assert answer.status_code == 200, answer.text
        tokens = answer.json()["token"]
    assert (await client.get("/users/me", headers=bearer(tokens))).status_code == 200


async def test_a_forged_token_with_a_real_session_ends_nothing(client: httpx.AsyncClient, cast: Cast) -> None:
    victim = await sign_in(client, cast.developer.email)
    head, payload, _ = victim["refresh_token"].split(".")
    assert (await refresh(client, f"{head}.{payload}.AAAA")).status_code == 401
    assert (await client.get("/users/me", headers=bearer(victim))).status_code == 200
    assert (await refresh(client, victim["refresh_token"])).status_code == 200


async def test_tokens_are_given_out_though_valkey_is_lost_while_they_are_renewed(app: FastAPI) -> None:
    async with severable(components_of(app)[Settings]) as (valkey, sever):
        token_refresh = TokenRefresh(valkey, components_of(app)[Encryption], 2)

        async def renew() -> dict[str, Any]:
            await sever()
            return {"refresh_token": "new"}

        async def refuse() -> dict[str, Any]:
            await sever()
            raise Unauthenticated

        assert await token_refresh.once(f"token-{time.time_ns()}", renew) == {"refresh_token": "new"}
        with pytest.raises(Unavailable):
            await token_refresh.once(f"token-{time.time_ns()}", renew)
    async with severable(components_of(app)[Settings]) as (valkey, sever):
        with pytest.raises(Unauthenticated):
            await TokenRefresh(valkey, components_of(app)[Encryption], 2).once(f"token-{time.time_ns()}", refuse)


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


async def test_logout_ends_the_callers_session_and_that_of_the_refresh_token(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    both = here, other = [await sign_in(client, cast.developer.email) for _ in range(2)]
    for tokens in both:
        assert (await client.get("/users/me", headers=bearer(tokens))).status_code == 200
    body = {"refresh_token": other["refresh_token"]}
    assert (await client.post("/auth/logout", json=body, headers=bearer(here))).status_code == 200
    for tokens in both:
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
