"""Seeing where one is signed in, and ending it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from budapp.commons.access import Authenticator
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.main import create_app
from budapp.session_ops.crud import note_uses
from budapp.session_ops.last_used import LastUsed
from budapp.session_ops.models import UserSession
from budapp.session_ops.services import KEPT_AFTER_END, purge_sessions
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import RevokedSession, UserPermission
from budapp.user_ops.sessions import purge_revocations, revoke_sessions
from tests.cast import PASSWORD, Cast, Person
from tests.statements import Statements

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.1 Mobile/15E148 Safari/604.1"
)

Fields = dict[str, Any]


async def sign_in(client: httpx.AsyncClient, person: Person, agent: str = FIREFOX, **more: object) -> Fields:
    body = {"email": person.email, "password": PASSWORD, **more}
    answer = await client.post("/auth/login", json=body, headers={"User-Agent": agent})
    assert answer.status_code == 200, answer.text
    tokens: Fields = answer.json()["token"]
    return tokens


def bearer(tokens: Fields) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def sessions(client: httpx.AsyncClient, headers: dict[str, str], path: str = "/users/me") -> dict[str, Fields]:
    answer = await client.get(f"{path}/sessions", headers=headers)
    assert answer.status_code == 200, answer.text
    return {session["id"]: session for session in answer.json()["sessions"]}


async def status(client: httpx.AsyncClient, tokens: Fields) -> tuple[int, int]:
    """What the access token, and then the refresh token, are answered."""
    me = await client.get("/users/me", headers=bearer(tokens))
    renewed = await client.post("/auth/refresh-token", json={"refresh_token": tokens["refresh_token"]})
    return me.status_code, renewed.status_code


@asynccontextmanager
async def replica(app: FastAPI, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    """Another process of the service, which hears the announcements."""
    other = create_app(components_of(app)[Settings].model_copy(update=changes))
    listening = asyncio.create_task(components_of(other)[Callers].listen())
    transport = httpx.ASGITransport(other, client=("192.0.2.9", 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as client:
        await asyncio.sleep(0.3)
        yield client
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await components_of(other).close()


async def test_the_list_names_device_address_and_times_with_this_session_first(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    before = now() - timedelta(seconds=2)
    phone = await sign_in(client, cast.developer, IPHONE, remember_me=True)
    async with replica(app) as elsewhere:
        here = await sign_in(elsewhere, cast.developer)
    found = await sessions(client, bearer(here))
    current, other = found[here["session_state"]], found[phone["session_state"]]
    assert next(iter(found)) == here["session_state"]
    assert current["device"] == "Firefox 132 on Windows 10"
    assert (current["browser"], current["os"]) == ("Firefox 132", "Windows 10")
    assert (current["address"], current["is_current"], current["remember_me"]) == ("192.0.2.9", True, False)
    assert (other["device"], other["is_current"], other["remember_me"]) == ("Mobile Safari 17 on iOS 17.1", False, True)
    started, used = (datetime.fromisoformat(current[name]) for name in ("started_at", "last_used_at"))
    assert before < started <= used <= now()
    assert [session for session in found.values() if session["is_current"]] == [current]


async def test_the_address_is_the_one_that_a_trusted_proxy_names(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    async with replica(app, trusted_proxies=["192.0.2.9"]) as behind_a_proxy:
        behind_a_proxy.headers["X-Forwarded-For"] = "203.0.113.7"
        trusted = await sign_in(behind_a_proxy, cast.developer)
    client.headers["X-Forwarded-For"] = "203.0.113.7"
    forged = await sign_in(client, cast.developer)
    found = await sessions(client, bearer(forged))
    assert found[trusted["session_state"]]["address"] == "203.0.113.7"
    assert found[forged["session_state"]]["address"] == "127.0.0.1"


async def test_a_session_that_was_never_noted_is_listed_without_a_device_until_it_is_renewed(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    tokens = await sign_in(client, cast.developer)
    async with database.write() as session:
        await session.delete((await session.scalars(select(UserSession))).one())
    found = (await sessions(client, bearer(tokens)))[tokens["session_state"]]
    assert (found["device"], found["address"]) == ("Unknown device", None)
    body = {"refresh_token": tokens["refresh_token"]}
    renewed = await client.post("/auth/refresh-token", json=body, headers={"User-Agent": IPHONE})
    found = (await sessions(client, bearer(renewed.json()["token"])))[tokens["session_state"]]
    assert found["device"] == "Mobile Safari 17 on iOS 17.1"


async def test_a_renewal_shows_from_where_the_session_is_used_now(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    tokens = await sign_in(client, cast.developer)
    async with replica(app) as elsewhere:
        body = {"refresh_token": tokens["refresh_token"]}
        renewed = await elsewhere.post("/auth/refresh-token", json=body, headers={"User-Agent": IPHONE})
    found = (await sessions(client, bearer(renewed.json()["token"])))[tokens["session_state"]]
    assert (found["address"], found["device"]) == ("192.0.2.9", "Mobile Safari 17 on iOS 17.1")


@pytest.mark.parametrize(
    ("agent", "device"),
    [("python-httpx/0.28", "python-httpx/0.28"), ("x" * 9000, "x" * 50), ("", "Unknown device"), ("a\tb", "ab")],
)
async def test_whatever_a_client_calls_itself_the_list_can_be_read(
    client: httpx.AsyncClient, cast: Cast, agent: str, device: str
) -> None:
    tokens = await sign_in(client, cast.developer, agent)
    assert (await sessions(client, bearer(tokens)))[tokens["session_state"]]["device"] == device


@pytest.mark.parametrize("remember_me", [False, True])
async def test_an_ended_session_is_refused_at_once_on_every_replica_and_others_live_on(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, remember_me: bool
) -> None:
    lost = await sign_in(client, cast.developer, IPHONE, remember_me=remember_me)
    here = await sign_in(client, cast.developer)
    async with replica(app) as elsewhere:
        assert (await elsewhere.get("/users/me", headers=bearer(lost))).status_code == 200
        path = f"/users/me/sessions/{lost['session_state']}"
        assert (await client.delete(path, headers=bearer(here))).status_code == 200
        await asyncio.sleep(0.3)
        assert await status(elsewhere, lost) == (401, 401)
    assert lost["session_state"] not in await sessions(client, bearer(here))
    assert (await client.delete(path, headers=bearer(here))).status_code == 404
    assert await status(client, here) == (200, 200)


async def test_signing_out_everywhere_else_keeps_this_session(client: httpx.AsyncClient, cast: Cast) -> None:
    others = [await sign_in(client, cast.developer, remember_me=remember) for remember in (False, True)]
    here = await sign_in(client, cast.developer)
    answer = await client.delete("/users/me/sessions", headers=bearer(here))
    assert answer.status_code == 200
    assert answer.json()["ended"] >= 2
    assert list(await sessions(client, bearer(here))) == [here["session_state"]]
    assert [await status(client, tokens) for tokens in others] == [(401, 401)] * 2
    assert await status(client, here) == (200, 200)


async def test_signing_out_everywhere_ends_this_session_too(client: httpx.AsyncClient, cast: Cast) -> None:
    here = await sign_in(client, cast.developer)
    answer = await client.delete("/users/me/sessions", params={"keep_current": False}, headers=bearer(here))
    assert answer.status_code == 200
    assert await status(client, here) == (401, 401)


async def test_sessions_that_were_signed_out_before_count_no_more(client: httpx.AsyncClient, cast: Cast) -> None:
    here = await sign_in(client, cast.developer)
    await client.delete("/users/me/sessions", headers=bearer(here))
    gone = await sign_in(client, cast.developer)
    await client.post("/auth/logout", json={"refresh_token": gone["refresh_token"]}, headers=bearer(gone))
    assert (await client.delete("/users/me/sessions", headers=bearer(here))).json()["ended"] == 0
    path = f"/users/me/sessions/{gone['session_state']}"
    assert (await client.delete(path, headers=bearer(here))).status_code == 404


async def test_an_administrator_sees_and_ends_a_persons_sessions(client: httpx.AsyncClient, cast: Cast) -> None:
    first, second = await sign_in(client, cast.tester), await sign_in(client, cast.tester, IPHONE)
    path = f"/users/{cast.tester.id}"
    found = await sessions(client, cast.manager.headers, path)
    assert found[second["session_state"]]["device"] == "Mobile Safari 17 on iOS 17.1"
    assert not any(session["is_current"] for session in found.values())
    answer = await client.delete(f"{path}/sessions/{first['session_state']}", headers=cast.manager.headers)
    assert answer.status_code == 200
    assert await status(client, first) == (401, 401)
    assert (await client.get("/users/me", headers=bearer(second))).status_code == 200
    assert (await client.delete(f"{path}/sessions", headers=cast.manager.headers)).json()["ended"] >= 1
    assert await sessions(client, cast.manager.headers, path) == {}
    assert await status(client, second) == (401, 401)


async def test_nobody_sees_or_ends_the_sessions_of_someone_who_may_do_more(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    async with database.write() as session:
        session.add(UserPermission(tenant_id=cast.tenant_id, user_id=cast.developer.id, scope="user:manage"))
    theirs = cast.admin.tokens["session_state"]
    for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", f"/{theirs}")):
        url = f"/users/{cast.admin.id}/sessions{path}"
        assert (await client.request(method, url, headers=cast.developer.headers)).status_code == 403
        assert (await client.request(method, url, headers=cast.tester.headers)).status_code == 403
        assert (await client.request(method, url, headers=cast.other_admin.headers)).status_code == 404
    assert (await client.get("/users/me", headers=cast.admin.headers)).status_code == 200


async def test_someone_elses_session_is_404_like_one_that_never_was(client: httpx.AsyncClient, cast: Cast) -> None:
    tokens = await sign_in(client, cast.tester)
    for path in ("/users/me", f"/users/{cast.developer.id}"):
        theirs = await client.delete(f"{path}/sessions/{tokens['session_state']}", headers=cast.admin.headers)
        nobodys = await client.delete(f"{path}/sessions/{'0' * 24}", headers=cast.admin.headers)
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json()["message"] == nobodys.json()["message"]
    assert (await status(client, tokens))[0] == 200


async def test_ending_one_session_twice_at_the_same_moment_fails_for_nobody(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    lost, here = await sign_in(client, cast.developer), await sign_in(client, cast.developer)
    path = f"/users/me/sessions/{lost['session_state']}"
    answers = await asyncio.gather(*(client.delete(path, headers=bearer(here)) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert 200 in {answer.status_code for answer in answers}
    assert await status(client, lost) == (401, 401)


async def test_when_keycloak_is_down_nothing_is_ended_and_it_is_said_soon(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    lost, here = await sign_in(client, cast.developer), await sign_in(client, cast.developer)
    async with replica(
        app,
        keycloak_server_url="http://127.0.0.1:9",
        keycloak_public_url=components_of(app)[Settings].keycloak_issuer_base,
    ) as broken:
        broken_app = broken._transport.app  # type: ignore[attr-defined]
        components_of(broken_app).override(Authenticator, components_of(app)[Authenticator])
        path = f"/users/me/sessions/{lost['session_state']}"
        assert (await broken.get("/users/me/sessions", headers=bearer(here))).status_code == 503
        assert (await broken.delete(path, headers=bearer(here))).status_code == 503
    assert await status(client, lost) == (200, 200)


async def test_what_keycloak_ended_before_a_failure_can_be_ended_again_here(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    lost, here = await sign_in(client, cast.developer), await sign_in(client, cast.developer)
    await components_of(app)[Keycloak].end_session(
        components_of(app)[Settings].default_realm_name, lost["session_state"]
    )
    assert (await client.get("/users/me", headers=bearer(lost))).status_code == 200
    path = f"/users/me/sessions/{lost['session_state']}"
    assert (await client.delete(path, headers=bearer(here))).status_code == 200
    assert (await client.get("/users/me", headers=bearer(lost))).status_code == 401


async def test_a_warm_request_costs_no_statement_and_its_use_shows_within_the_minute(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database, statements: Statements
) -> None:
    tokens = await sign_in(client, cast.developer)
    long_ago = now() - timedelta(hours=1)
    async with database.write() as session:
        await session.execute(update(UserSession).values(last_used_at=long_ago))
    await client.get("/users/me", headers=bearer(tokens))
    statements.clear()
    for _ in range(10):
        await client.get("/users/me", headers=bearer(tokens))
    assert statements == []
    await components_of(app)[LastUsed].write()
    assert len(statements) == 1
    async with database.read() as session:
        assert now() - (await session.scalars(select(UserSession.last_used_at))).one() < timedelta(seconds=30)


async def test_uses_that_two_replicas_write_at_once_are_all_kept(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database
) -> None:
    everyone = [await sign_in(client, person) for person in (cast.developer, cast.tester)]
    replicas = [create_app(components_of(app)[Settings]) for _ in range(4)]
    for number, other in enumerate(replicas):
        for tokens in everyone[:: 1 if number % 2 else -1]:
            components_of(other)[LastUsed].note(tokens["session_state"])
    await asyncio.gather(*(components_of(other)[LastUsed].write() for other in replicas))
    for other in replicas:
        await components_of(other).close()
    async with database.read() as session:
        assert len((await session.scalars(select(UserSession.id))).all()) == 2


async def test_what_was_used_last_is_written_when_the_process_stops(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database
) -> None:
    tokens = await sign_in(client, cast.developer)
    async with database.write() as session:
        await session.execute(update(UserSession).values(last_used_at=now() - timedelta(hours=1)))
    replica = create_app(components_of(app)[Settings])
    uses = components_of(replica)[LastUsed]
    await uses.start()
    uses.note(tokens["session_state"])
    await uses.stop()
    await components_of(replica).close()
    async with database.read() as session:
        assert now() - (await session.scalars(select(UserSession.last_used_at))).one() < timedelta(seconds=30)


async def test_a_use_that_is_written_late_sets_nothing_back(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    tokens = await sign_in(client, cast.developer)
    times = select(UserSession.last_used_at)
    async with database.read() as session:
        before = (await session.scalars(times)).one()
    async with database.write() as session:
        await note_uses(session, {tokens["session_state"]: before - timedelta(minutes=1)})
    async with database.read() as session:
        assert (await session.scalars(times)).one() == before


async def test_a_note_that_has_run_out_is_no_session_to_end(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    here = await sign_in(client, cast.developer)
    await client.delete("/users/me/sessions", headers=bearer(here))
    over = {"address": None, "user_agent": None, "is_offline": False, "last_used_at": now(), "expires_at": now()}
    about = {"tenant_id": cast.tenant_id, "user_id": cast.developer.id, "session_id": "0" * 24}
    async with database.write() as session:
        session.add(UserSession(**about, **over))
    assert (await client.delete("/users/me/sessions", headers=bearer(here))).json()["ended"] == 0
    assert (await client.delete(f"/users/me/sessions/{'0' * 24}", headers=bearer(here))).status_code == 404


async def test_the_list_takes_two_statements(client: httpx.AsyncClient, cast: Cast, statements: Statements) -> None:
    tokens = await sign_in(client, cast.developer)
    await sessions(client, bearer(tokens))
    statements.clear()
    await sessions(client, bearer(tokens))
    assert len(statements) == 2


async def test_notes_of_dead_sessions_and_old_revocations_are_purged(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    old, young = await sign_in(client, cast.developer), await sign_in(client, cast.developer)
    async with database.write() as session:
        dead = UserSession.session_id == old["session_state"]
        await session.execute(update(UserSession).where(dead).values(expires_at=now() - KEPT_AFTER_END))
        await revoke_sessions(session, ["old", "young"])
        stale = RevokedSession.session_id == "old"
        await session.execute(update(RevokedSession).where(stale).values(expires_at=now()))
    await purge_sessions(database)
    await purge_revocations(database)
    async with database.read() as session:
        assert (await session.scalars(select(UserSession.session_id))).all() == [young["session_state"]]
        assert (await session.scalars(select(RevokedSession.session_id))).all() == ["young"]
