"""The secret of a key is nowhere but in the answer that shows it: no log, table, trail, error, or value in Valkey."""

from collections.abc import Iterable
from typing import Any

import httpx
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import text

from budapp.auth.crud import caller_by_id
from budapp.commons.database import Base, Database
from budapp.commons.domain import components_of
from budapp.gateway_ops.services import GatewayTables
from budapp.gateway_ops.tokens import issue_evaluation_key
from tests.api_keys.data import PATH as KEYS
from tests.api_keys.data import make_key
from tests.cast import Cast
from tests.logs import Logged
from tests.projects.data import create
from tests.service_accounts.data import PATH, bearing, make_account, make_service_key


async def issued(client: httpx.AsyncClient, cast: Cast, database: Database, project_id: str) -> list[str]:
    """Make keys of every kind, each of them twice where that can be, and return their secrets."""
    headers, again = cast.manager.headers, {"grace_seconds": 60}
    mine = await make_key(client, cast.manager, project_id)
    rotated = (await client.post(f"{KEYS}{mine['id']}/rotate", json=again, headers=headers)).json()["result"]
    account = await make_account(client, cast.manager)
    of_service = await make_service_key(client, cast.manager, account["id"])
    path = f"{PATH}/{account['id']}/keys/{of_service['id']}/rotate"
    fresh = (await client.post(path, json=again, headers=headers)).json()["key"]
    async with database.write() as session:
        caller = await caller_by_id(session, cast.manager.id)
        assert caller is not None
        of_evaluation = await issue_evaluation_key(session, caller, project_id)  # type: ignore[arg-type]
    return [*(one["key"] for one in (mine, rotated, of_service, fresh)), of_evaluation]


async def used(client: httpx.AsyncClient, cast: Cast, secrets: Iterable[str]) -> list[str]:
    """Use the secrets rightly and wrongly wherever somebody may, and return what is answered."""
    answers = []
    for secret in secrets:
        for sent in (secret, secret[:-1], f"{secret}x"):
            answers += [
                await client.get("/projects/", headers=bearing(sent)),
                await client.get("/users/me", headers=bearing(sent)),
                await client.post(f"{KEYS}verify", json={"key": sent}, headers=cast.manager.headers),
                await client.get(KEYS, headers=cast.manager.headers),
                await client.post("/auth/login", json={"email": "x@example.com", "password": sent}),
            ]
    return [answer.text for answer in answers]


async def stored(database: Database, valkey: Redis) -> str:
    """Return everything that PostgreSQL and Valkey hold, as text."""
    found: list[Any] = []
    async with database.read() as session:
        for table in Base.metadata.sorted_tables:
            rows = await session.scalars(text(f'select t::text from "{table.name}" t'))
            found += rows.all()
    async for name in valkey.scan_iter(count=1000):
        kind = await valkey.type(name)
        found += [name, await valkey.get(name) if kind == "string" else ""]
    return "\n".join(map(str, found))


async def test_a_secret_is_shown_once_and_is_nowhere(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, database: Database, logged: Logged
) -> None:
    project = (await create(client, cast.manager))["id"]
    secrets = await issued(client, cast, database, project)
    assert len(set(secrets)) == 5
    answers = await used(client, cast, secrets)
    components = components_of(app)
    await components[GatewayTables].apply_changes()
    everything = "\n".join([*answers, logged.text, await stored(database, components[Redis])])
    assert "bud_service_" in everything, "masked, a key can be told"
    for secret in secrets:
        assert secret[16:] not in everything
        assert secret not in everything
