"""`usage_limit:*`: what the gateway holds users to."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import select
from uuid_utils.compat import uuid7

from budapp.billing_ops.limits import Standing, Used
from budapp.billing_ops.limits import limit_of as judge
from budapp.billing_ops.models import BillingPlan, UserBilling, UserUsage
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.gateway_ops.limits import sync
from budapp.gateway_ops.services import GatewayTables
from budapp.gateway_ops.worker import GatewayWorker
from budapp.integrations.dapr import DaprClient
from budapp.user_ops.models import User
from tests.billing.test_billing import change, set_up, set_usage
from tests.cast import Cast, Person
from tests.gateway.reader import Limit
from tests.peers.conftest import StandIn, environment, stand_in
from tests.waiting import until

__all__ = ["environment", "stand_in"]


@pytest.fixture
async def budmetrics(stand_in: Callable[[str], StandIn]) -> AsyncIterator[StandIn]:
    peer = stand_in("budmetrics")
    yield peer
    await peer.behave()


async def limit_of(valkey: Redis, person: Person) -> Limit | None:
    value: Any = await valkey.get(f"usage_limit:{person.id}")
    return Limit.model_validate_json(value) if value is not None else None


async def test_a_plan_is_in_the_tables_and_holds(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, tables: GatewayTables, valkey: Redis, budmetrics: StandIn
) -> None:
    dapr = components_of(app)[DaprClient]
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    await tables.apply_changes()
    found = await limit_of(valkey, cast.client)
    assert found is not None
    assert (found.status, found.tokens_quota, found.tokens_used, found.plan_name) == ("allowed", 100, 0, "Starter")
    assert 5300 < await valkey.ttl(f"usage_limit:{cast.client.id}") <= 5400
    await set_usage(budmetrics, cast.client.id, total_input_tokens=120, total_cost=2)
    await sync(tables.limits, dapr)
    found = await limit_of(valkey, cast.client)
    assert found is not None
    assert (found.status, found.allowed, found.tokens_used) == ("token_limit_exceeded", False, 120)
    await change(client, cast.admin, cast.client.id, custom_token_quota=200)
    await tables.apply_changes()
    found = await limit_of(valkey, cast.client)
    assert found is not None
    assert (found.status, found.tokens_quota) == ("allowed", 200)


async def test_a_suspended_user_is_out(
    client: httpx.AsyncClient, cast: Cast, database: Database, worker: GatewayWorker, valkey: Redis
) -> None:
    await set_up(client, cast.admin, cast.client.id)

    async def status() -> str | None:
        found = await limit_of(valkey, cast.client)
        return found.status if found is not None else None

    async def is_in() -> bool:
        return await status() == "allowed"

    async def is_out() -> bool:
        return await status() == "suspended"

    await until(is_in)
    async with database.write() as session:
        row = (await session.scalars(select(UserBilling))).one()
        row.is_suspended = True
    await until(is_out)


async def test_without_budmetrics_the_last_usage_stays_also_when_valkey_was_emptied(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, tables: GatewayTables, valkey: Redis, budmetrics: StandIn
) -> None:
    dapr = components_of(app)[DaprClient]
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    await set_usage(budmetrics, cast.client.id, total_input_tokens=120)
    await sync(tables.limits, dapr)
    await budmetrics.does_wrong(str(cast.client.id), status=500)
    await valkey.flushdb()
    await sync(tables.limits, dapr)
    found = await limit_of(valkey, cast.client)
    assert found is not None
    assert (found.tokens_used, found.allowed) == (120, False)
    await valkey.flushdb()
    await tables.rebuild()
    assert (await limit_of(valkey, cast.client)) is not None


async def test_what_the_gateway_has_counted_is_not_taken_back_within_a_cycle(
    client: httpx.AsyncClient, cast: Cast, tables: GatewayTables, valkey: Redis
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    await tables.apply_changes()
    name = f"usage_limit:{cast.client.id}"
    entry = json.loads(await valkey.get(name) or "")
    await valkey.set(name, json.dumps({**entry, "tokens_used": 101, "cost_used": 0.25, "update_id": 7}))
    await tables.limits.renew_all()
    found = await limit_of(valkey, cast.client)
    assert found is not None
    assert (found.tokens_used, found.cost_used, found.status) == (101, 0.25, "token_limit_exceeded")
    await client.post(f"/billing/reset/{cast.client.id}", headers=cast.admin.headers)
    await tables.apply_changes()
    found = await limit_of(valkey, cast.client)
    assert found is not None
    assert (found.tokens_used, found.cost_used, found.status) == (0, 0.0, "allowed")
    assert await valkey.get(f"usage_limit_clear:{cast.client.id}") == "1"


async def test_people_without_a_plan_go_on(cast: Cast, tables: GatewayTables, valkey: Redis) -> None:
    await tables.limits.renew([cast.client.id, cast.manager.id], version=10**9)
    client_limit, admin_limit = await limit_of(valkey, cast.client), await limit_of(valkey, cast.manager)
    assert client_limit is not None
    assert admin_limit is not None
    assert (client_limit.status, client_limit.tokens_quota) == ("no_billing_plan", 100_000)
    assert (admin_limit.status, admin_limit.tokens_quota) == ("admin_unlimited", None)


def test_usage_of_another_cycle_is_the_one_before() -> None:
    start, at = now() - timedelta(days=1), now()
    user = User(id=uuid7(), user_type="client")
    billing = UserBilling(
        billing_period_start=start,
        billing_period_end=start + timedelta(days=30),
        is_suspended=False,
        custom_token_quota=None,
        custom_cost_quota=None,
    )
    plan = BillingPlan(name="Free", monthly_token_quota=10, monthly_cost_quota=Decimal(1))
    usage = UserUsage(
        period_start=start - timedelta(days=30),
        tokens_used=50,
        cost_used=Decimal(5),
        prev_tokens_used=1,
        prev_cost_used=Decimal(0),
    )
    found = judge(Standing(user, billing, plan, usage), at, Used(start - timedelta(days=30), 99, Decimal(9)))
    assert (found.allowed, found.tokens_used, found.prev_tokens_used) == (True, 0, 50)


async def test_what_is_wrong_with_a_limit_is_found_and_mended(
    client: httpx.AsyncClient, cast: Cast, tables: GatewayTables, valkey: Redis
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    await tables.rebuild()
    assert not await tables.diff()
    name = f"usage_limit:{cast.client.id}"
    entry = json.loads(await valkey.get(name) or "")
    for value, is_wrong in (
        ({**entry, "tokens_used": 50, "update_id": 3, "last_updated": "2020-01-01T00:00:00Z"}, False),
        ({**entry, "tokens_quota": 10_000}, True),
        ({**entry, "allowed": False}, True),
        (["no limit"], True),
    ):
        await valkey.set(name, json.dumps(value))
        assert (await tables.diff()).different == ([name] if is_wrong else [])
    await valkey.delete(name)
    assert (await tables.diff()).missing == [name]
    await tables.mend()
    assert not await tables.diff()
