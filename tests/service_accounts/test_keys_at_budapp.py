"""How the key of a service account opens budapp: checked before any look-up, warm without a statement, gone at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from budapp.api_key_ops import secrets
from budapp.api_key_ops.models import Credential
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.service_account_ops.authentication import KeyUses
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.callers import Callers
from tests.api_keys.data import make_key
from tests.cast import Cast
from tests.logs import Logged
from tests.projects.data import create
from tests.replicas import running_replica
from tests.service_accounts.data import PATH, bearing, make_account, make_service_key
from tests.statements import Statements


@pytest.fixture
async def account(client: httpx.AsyncClient, cast: Cast) -> dict[str, Any]:
    return await make_account(client, cast.manager)


@pytest.fixture
async def key(client: httpx.AsyncClient, cast: Cast, account: dict[str, Any]) -> dict[str, Any]:
    return await make_service_key(client, cast.manager, account["id"])


async def status(client: httpx.AsyncClient, key: Any, path: str = "/projects/") -> int:
    return (await client.get(path, headers=bearing(key))).status_code


async def test_a_warm_key_costs_no_statement(
    client: httpx.AsyncClient, cast: Cast, key: dict[str, Any], statements: Statements
) -> None:
    assert await status(client, key) == 200
    statements.clear()
    assert await status(client, key) == 200
    with_key = len(statements)
    await client.get("/projects/", headers=cast.developer.headers)
    statements.clear()
    await client.get("/projects/", headers=cast.developer.headers)
    assert with_key == len(statements)


async def test_what_is_no_service_account_s_key_costs_no_look_up(
    client: httpx.AsyncClient, cast: Cast, key: dict[str, Any], statements: Statements
) -> None:
    project = (await create(client, cast.manager))["id"]
    of_person = (await make_key(client, cast.manager, project))["key"]
    mistyped = key["key"][:-8] + ("A" if key["key"][-8] != "A" else "B") + key["key"][-7:]
    statements.clear()
    for wrong in (mistyped, key["key"][:-1], key["key"] + "x", "bud_", of_person, "bud_service_" + "é" * 49):
        answer = await client.get("/projects/", headers=[(b"Authorization", f"Bearer {wrong}".encode())])
        assert answer.status_code == 401, wrong
        assert wrong not in answer.text
    assert len(statements) == 0


async def test_a_key_that_nobody_issued_is_refused_and_soon_not_looked_up(
    client: httpx.AsyncClient, statements: Statements
) -> None:
    made_up = secrets.new_secret("service")
    found = [await status(client, made_up) for _ in range(12)]
    assert found == [401] * 10 + [429] * 2
    statements.clear()
    assert await status(client, made_up) == 429
    assert len(statements) == 0
    assert await status(client, secrets.new_secret("service")) == 401, "others are not concerned"


async def test_without_the_pepper_nobody_makes_a_key_that_counts(
    client: httpx.AsyncClient, database: Database, key: dict[str, Any]
) -> None:
    async with database.write() as session:
        row = await session.get_one(Credential, key["id"])
        row.key_hmac = f"{(row.key_hmac or '').partition(':')[0]}:{'0' * 64}"
    assert await status(client, key) == 401


@pytest.mark.parametrize("how", ["revoke", "disable", "delete", "rotate", "expire", "tenant"])
async def test_a_warm_key_is_forgotten_at_once(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    app: FastAPI,
    account: dict[str, Any],
    key: dict[str, Any],
    how: str,
) -> None:
    assert await status(client, key) == 200
    mine, headers = f"{PATH}/{account['id']}", cast.manager.headers
    if how == "revoke":
        await client.delete(f"{mine}/keys/{key['id']}", headers=headers)
    elif how == "disable":
        await client.patch(mine, json={"enabled": False}, headers=headers)
    elif how == "delete":
        await client.delete(mine, headers=headers)
    elif how == "rotate":
        await client.post(f"{mine}/keys/{key['id']}/rotate", json={"grace_seconds": 0}, headers=headers)
    elif how == "expire":
        async with database.write() as session:
            row = await session.get_one(Credential, key["id"])
            row.expiry = now() - timedelta(seconds=1)
    else:
        async with database.write() as session:
            (await session.get_one(Tenant, cast.tenant_id)).is_active = False
            components_of(app)[Callers].forget_tenant_after_commit(session, cast.tenant_id)
    assert await status(client, key) == 401
    if how == "disable":
        await client.patch(mine, json={"enabled": True}, headers=headers)
        assert await status(client, key) == 200


async def test_a_rotated_secret_works_in_its_grace(
    client: httpx.AsyncClient, cast: Cast, database: Database, account: dict[str, Any], key: dict[str, Any]
) -> None:
    path = f"{PATH}/{account['id']}/keys/{key['id']}/rotate"
    answer = await client.post(path, json={"grace_seconds": 2}, headers=cast.manager.headers)
    fresh = answer.json()["key"]
    assert (fresh["id"], fresh["name"]) == (key["id"], key["name"])
    assert (await status(client, key), await status(client, fresh)) == (200, 200)
    await asyncio.sleep(2.1)
    assert (await status(client, key), await status(client, fresh)) == (401, 200), "though it was warm"


async def test_a_key_counts_only_from_its_networks(
    client: httpx.AsyncClient, cast: Cast, account: dict[str, Any]
) -> None:
    near = await make_service_key(client, cast.manager, account["id"], name="near", ip_whitelist=["127.0.0.0/8"])
    far = await make_service_key(client, cast.manager, account["id"], name="far", ip_whitelist=["2001:db8::/32"])
    assert (await status(client, near), await status(client, far)) == (200, 403)


async def test_uses_are_written_down(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, account: dict[str, Any], key: dict[str, Any]
) -> None:
    await status(client, key)
    await components_of(app)[KeyUses].write()
    [found] = (await client.get(f"{PATH}/{account['id']}/keys", headers=cast.manager.headers)).json()["keys"]
    assert found["last_used_at"] is not None


async def test_a_key_is_nowhere_in_the_log(client: httpx.AsyncClient, key: dict[str, Any], logged: Logged) -> None:
    await status(client, key)
    await status(client, key, "/users/me")
    await status(client, key["key"][:-1])
    assert key["key"][:-1] not in logged.text


async def within(seconds: float, holds: Callable[[], Awaitable[bool]]) -> float:
    started = time.monotonic()
    while not await holds():
        assert time.monotonic() - started < seconds, "it does not come to hold"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def test_another_replica_forgets_a_revoked_key_within_a_second(
    client: httpx.AsyncClient, cast: Cast, settings: Settings, account: dict[str, Any], key: dict[str, Any]
) -> None:
    async with running_replica(settings) as replica:
        assert await status(replica.http, key) == 200
        assert await status(replica.http, key) == 200
        await client.delete(f"{PATH}/{account['id']}/keys/{key['id']}", headers=cast.manager.headers)

        async def is_out() -> bool:
            return await status(replica.http, key) == 401

        await within(1.0, is_out)
