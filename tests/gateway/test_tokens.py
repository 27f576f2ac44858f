"""What is no API key and opens the gateway for a while: sessions of the playground, keys for evaluations."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, update

from budapp.api_key_ops.secrets import is_well_formed, lookup_hash
from budapp.auth.crud import caller_by_id
from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.errors import BadRequest, Forbidden, NotFound
from budapp.gateway_ops.models import GatewayToken
from budapp.gateway_ops.services import GatewayTables
from budapp.gateway_ops.tokens import close_token, issue_evaluation_key, open_for_token, purge_tokens
from budapp.project_ops.models import Project, ProjectMember
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import User, UserStatus
from tests.cast import PASSWORD, Cast, Person
from tests.gateway.conftest import Deploy, all_entries
from tests.gateway.reader import read_key
from tests.projects.data import create, join

HOUR = timedelta(hours=1)


async def as_caller(database: Database, person: Person) -> Caller:
    async with database.read() as session:
        found = await caller_by_id(session, person.id)
    assert found is not None
    return found


async def open_session(database: Database, person: Person, token: str, lasts: timedelta = HOUR) -> None:
    caller = await as_caller(database, person)
    async with database.write() as session:
        await open_for_token(session, caller, token, now() + lasts)


async def evaluation_key(database: Database, person: Person, project_id: Any, **limits: Any) -> str:
    caller = await as_caller(database, person)
    async with database.write() as session:
        return await issue_evaluation_key(session, caller, project_id, **limits)


async def opened(valkey: Redis, token: str) -> set[str] | None:
    value = await valkey.get(f"api_key:{lookup_hash(token)}")
    return set(read_key(value)[0]) if value is not None else None


@pytest.fixture
async def project_id(client: httpx.AsyncClient, cast: Cast, database: Database) -> str:
    found: str = (await create(client, cast.manager))["id"]
    await join(database, found, cast.developer)
    return found


async def test_a_session_opens_what_its_owner_may_call(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    await deploy(project_id)
    elsewhere = (await create(client, cast.manager, name="Elsewhere"))["id"]
    await deploy(elsewhere, name="elsewhere")
    for person, token, names in (
        (cast.developer, "jwt.of.developer", {"chat"}),
        (cast.manager, "jwt.of.manager", {"chat", "elsewhere"}),
        (cast.client, "jwt.of.client", set()),
    ):
        await open_session(database, person, token)
        await tables.apply_changes()
        assert await opened(valkey, token) == names
        _, metadata = read_key(await valkey.get(f"api_key:{lookup_hash(token)}"))
        assert (metadata.api_key_id, metadata.user_id) == (None, person.id)
        assert 3500_000 < await valkey.pttl(f"api_key:{lookup_hash(token)}") <= 3600_000
    await deploy(project_id, name="later")
    await tables.apply_changes()
    assert await opened(valkey, "jwt.of.developer") == {"chat", "later"}
    assert await opened(valkey, "jwt.of.manager") == {"chat", "later", "elsewhere"}
    assert not await tables.diff()


async def test_a_customer_s_session_opens_what_is_published(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    await deploy(project_id, name="secret")
    await deploy(project_id, name="public", is_published=True)
    await open_session(database, cast.client, "jwt")
    await tables.apply_changes()
    assert await opened(valkey, "jwt") == {"public"}


async def test_rights_that_the_owner_loses_are_lost_by_the_session(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    await deploy(project_id)
    await open_session(database, cast.developer, "jwt")
    await tables.apply_changes()
    async with database.write() as session:
        found = select(ProjectMember).where(ProjectMember.user_id == cast.developer.id)
        await session.delete((await session.scalars(found)).one())
    await tables.apply_changes()
    assert await opened(valkey, "jwt") is None
    assert not await tables.diff()


@pytest.mark.parametrize("person", ["client", "developer"])
@pytest.mark.parametrize("out", ["user", "tenant"])
async def test_the_session_of_somebody_who_is_out_opens_nothing(
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
    person: str,
    out: str,
) -> None:
    await deploy(project_id, is_published=True)
    owner: Person = getattr(cast, person)
    await open_session(database, owner, "jwt")
    await tables.apply_changes()
    assert await opened(valkey, "jwt") == {"chat"}
    async with database.write() as session:
        if out == "user":
            (await session.get_one(User, owner.id)).status = UserStatus.DELETED
        else:
            (await session.get_one(Tenant, cast.tenant_id)).is_active = False
    await tables.apply_changes()
    assert await opened(valkey, "jwt") is None


async def test_nothing_of_a_project_of_benchmarks_is_opened(
    cast: Cast, database: Database, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    await deploy(project_id)
    async with database.write() as session:
        (await session.get_one(Project, UUID(project_id))).benchmark = True
    await open_session(database, cast.developer, "jwt")
    await tables.apply_changes()
    assert await opened(valkey, "jwt") is None


async def test_an_evaluation_s_key_opens_one_project_for_a_day(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    endpoint = await deploy(project_id)
    await deploy(project_id, name="other")
    elsewhere = (await create(client, cast.manager, name="Elsewhere"))["id"]
    await deploy(elsewhere, name="elsewhere")
    whole = await evaluation_key(database, cast.manager, project_id)
    narrow = await evaluation_key(database, cast.manager, project_id, endpoint_ids=[endpoint.id])
    await tables.apply_changes()
    assert is_well_formed(whole)
    assert whole.startswith("bud_admin_")
    assert (await opened(valkey, whole), await opened(valkey, narrow)) == ({"chat", "other"}, {"chat"})
    left = await valkey.ttl(f"api_key:{lookup_hash(narrow)}")
    assert 86_390 < left <= 86_400
    async with database.write() as session:
        await close_token(session, narrow)
        await close_token(session, narrow)
    await tables.apply_changes()
    assert (await opened(valkey, whole), await opened(valkey, narrow)) == ({"chat", "other"}, None)


async def test_an_evaluation_s_key_is_for_who_may_call(cast: Cast, database: Database, project_id: str) -> None:
    with pytest.raises(NotFound):
        await evaluation_key(database, cast.tester, project_id)
    with pytest.raises(NotFound):
        await evaluation_key(database, cast.other_admin, project_id)
    await join(database, project_id, cast.tester, scopes=("project:view",))
    with pytest.raises(Forbidden):
        await evaluation_key(database, cast.tester, project_id)


async def test_they_come_back_after_valkey_was_emptied_and_go_when_they_are_over(
    cast: Cast, database: Database, project_id: str, deploy: Deploy, tables: GatewayTables, valkey: Redis
) -> None:
    await deploy(project_id)
    await open_session(database, cast.developer, "jwt")
    await open_session(database, cast.developer, "short")
    await tables.rebuild()
    before = await all_entries(valkey)
    await valkey.flushdb()
    await tables.rebuild()
    assert await all_entries(valkey) == before
    async with database.write() as session:
        mine = GatewayToken.hashed_token == lookup_hash("short")
        await session.execute(update(GatewayToken).where(mine).values(expires_at=now() - HOUR))
    await tables.apply_changes()
    assert (await opened(valkey, "short"), await opened(valkey, "jwt")) == (None, {"chat"})
    await purge_tokens(database)
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(GatewayToken)) == 1
    assert not await tables.diff()


@pytest.mark.parametrize("lasts", [timedelta(seconds=-1), timedelta(days=8)])
async def test_a_session_ends_within_a_week(cast: Cast, database: Database, lasts: timedelta) -> None:
    with pytest.raises(BadRequest):
        await open_session(database, cast.developer, "jwt", lasts)
    await open_session(database, cast.developer, "jwt")
    await open_session(database, cast.developer, "jwt", 2 * HOUR)
    async with database.read() as session:
        ends = await session.scalar(select(GatewayToken.expires_at))
    assert ends is not None
    assert ends > now() + HOUR


async def test_a_session_of_the_playground_ends_with_the_sign_in(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    settings: Settings,
    project_id: str,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    await deploy(project_id)
    body = {"email": cast.developer.email, "password": PASSWORD, "tenant": settings.default_realm_name}
    signed_in = [(await client.post("/auth/login", json=body)).json()["token"] for _ in range(2)]
    for token in signed_in:
        opening = {"access_token": token["access_token"]}
        assert (await client.post("/playground/initialize-with-token", json=opening)).status_code == 200
    left, kept = (token["access_token"] for token in signed_in)
    await tables.apply_changes()
    assert (await opened(valkey, left), await opened(valkey, kept)) == ({"chat"}, {"chat"})
    leaving = {"Authorization": f"Bearer {left}"}
    body = {"refresh_token": signed_in[0]["refresh_token"]}
    assert (await client.post("/auth/logout", json=body, headers=leaving)).status_code == 200
    await tables.apply_changes()
    assert (await opened(valkey, left), await opened(valkey, kept)) == (None, {"chat"})
    user = f"/users/{cast.developer.id}/sessions"
    assert (await client.delete(user, headers=cast.admin.headers)).status_code == 200
    await tables.apply_changes()
    assert await opened(valkey, kept) is None
