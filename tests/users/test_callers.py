"""The callers that replicas remember: whatever else happens, a change is not missed, however long they are kept."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from budapp.commons.access import Caller
from budapp.commons.background import keep_running, stop
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.integrations.valkey import connect_valkey
from budapp.user_ops.callers import Callers
from tests.system.faults.proxy import Proxy

FOR_EVER = 3600
TENANT, USER = uuid4(), uuid4()


def caller(user_id: UUID = USER, tenant_id: UUID = TENANT) -> Caller:
    return Caller(
        user_id=user_id,
        tenant_id=tenant_id,
        auth_id="auth",
        session_id="session",
        realm="realm",
        name="Name",
        email="name@example.com",
        role="developer",
        status="active",
        user_type="admin",
        color="#000000",
        company=None,
        purpose=None,
        scopes=frozenset(),
        token_expires_at=now() + timedelta(hours=1),
    )


@asynccontextmanager
async def replica(settings: Settings, *, listening: bool = False) -> AsyncIterator[Callers]:
    """The callers of a replica that remembers them for ever."""
    valkey = connect_valkey(settings)
    callers = Callers(valkey, settings.model_copy(update={"caller_cache_seconds": FOR_EVER}))
    tasks = [keep_running("test", callers.listen)] if listening else []
    yield callers
    await stop(*tasks)
    await valkey.aclose()


async def remembers(callers: Callers, token: str) -> None:
    """Remember somebody once the subscription is there; before, everybody is forgotten again."""
    for _ in range(5):
        callers.put(token, caller(), time.monotonic())
        await asyncio.sleep(0.2)
    assert callers.get(token) is not None


async def forgets(callers: Callers, token: str) -> None:
    async with asyncio.timeout(20):
        while callers.get(token) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("what", ["user", "tenant"])
async def test_a_change_is_heard_on_every_replica(settings: Settings, database: Database, what: str) -> None:
    async with replica(settings) as changing, replica(settings, listening=True) as hearing:
        await remembers(hearing, "token")
        hearing.put("other", caller(uuid4(), uuid4()), time.monotonic())
        async with database.write() as session:
            if what == "user":
                changing.forget_after_commit(session, USER)
            else:
                changing.forget_tenant_after_commit(session, TENANT)
            assert hearing.get("token") is not None
        await forgets(hearing, "token")
        assert hearing.get("other") is not None


@pytest.mark.parametrize("what", ["user", "tenant", "everyone"])
async def test_a_lookup_begun_before_a_change_is_not_remembered_after_it(
    settings: Settings, database: Database, what: str
) -> None:
    async with replica(settings) as callers:
        asked_at = time.monotonic()
        if what == "user":
            await callers.forget(USER)
        elif what == "tenant":
            async with database.write() as session:
                callers.forget_tenant_after_commit(session, TENANT)
        else:
            callers.forget_all()
        callers.put("token", caller(), asked_at)
        assert callers.get("token") is None
        callers.put("token", caller(), time.monotonic())
        assert callers.get("token") is not None


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[Proxy]:
    parts = urlsplit(settings.tensorzero_redis_url.get_secret_value())
    assert parts.hostname is not None
    assert parts.port is not None
    async with Proxy(parts.hostname, parts.port).running() as running:
        yield running


@pytest.mark.parametrize("fault", ["cut", "reset", "hang"])
async def test_everyone_is_forgotten_after_the_subscription_was_lost(
    settings: Settings, database: Database, proxy: Proxy, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budapp.user_ops.callers._SILENCE_SECONDS", 0.3)
    monkeypatch.setattr("budapp.user_ops.callers._ANSWER_SECONDS", 0.3)
    url = settings.tensorzero_redis_url.get_secret_value()
    there = SecretStr(url.replace(f":{urlsplit(url).port}", f":{proxy.port}"))
    behind = settings.model_copy(update={"tensorzero_redis_url": there})
    async with replica(settings) as changing, replica(behind, listening=True) as hearing:
        await remembers(hearing, "token")
        async with proxy.failing(fault):  # type: ignore[arg-type]
            await asyncio.sleep(1)
            await changing.forget(USER)
        await forgets(hearing, "token")
        await remembers(hearing, "token")
        await changing.forget(USER)
        await forgets(hearing, "token")
