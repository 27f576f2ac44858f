"""Budgets of keys, which the gateway does not know: what is used up leaves its tables."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from budapp.api_key_ops.limits import UsedUp, used_up
from budapp.api_key_ops.models import Credential
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import PeerFailed
from budapp.endpoint_ops.models import Endpoint
from budapp.gateway_ops.rows import Deployment, Price
from budapp.gateway_ops.spending import charged, cost, count_spending
from budapp.gateway_ops.worker import GatewayWorker
from budapp.integrations.traffic import Traffic
from tests.api_keys.data import PATH, keys_seen, make_key
from tests.cast import Cast
from tests.gateway.conftest import Deploy
from tests.gateway.test_tables import opened
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import create, messages
from tests.waiting import until

__all__ = ["environment", "stand_in"]

PRICE = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002, "currency": "USD"}
Call = Callable[..., Awaitable[None]]
Count = Callable[[], Awaitable[None]]


@pytest.fixture
async def project_id(client: httpx.AsyncClient, cast: Cast) -> str:
    return str((await create(client, cast.manager))["id"])


@pytest.fixture
async def call(stand_in: Callable[[str], StandIn], project_id: str) -> AsyncIterator[Call]:
    """Has budmetrics count requests with a key: 1,000 input and 500 output tokens each, which cost 2 by `PRICE`."""
    peer = stand_in("budmetrics")

    async def count(key: dict[str, Any], endpoint: Endpoint, times: int = 1) -> None:
        ids = {"endpoint_id": endpoint.id, "model_id": endpoint.model_id, "project_id": endpoint.project_id}
        of_key = {"api_key_id": key["id"], "api_key_project_id": key["project_id"]}
        source = {name: str(value) for name, value in {**ids, **of_key}.items()} | {"per_hour": 0}
        at = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        told = {"source": source, "at": at, "input_tokens": 1000, "output_tokens": 500}
        for _ in range(times):
            answer = await peer.http.put(f"/control/inferences/{uuid4()}", json=told)
            assert answer.is_success, answer.text

    yield count
    await peer.http.delete("/control/traffic", params={"project_id": project_id})


@pytest.fixture
def count(app: FastAPI, database: Database) -> Count:
    return lambda: count_spending(database, components_of(app)[Traffic])


async def test_a_model_whose_budget_is_used_up_is_shut_and_opens_when_it_is_raised(
    client: httpx.AsyncClient,
    cast: Cast,
    deploy: Deploy,
    worker: GatewayWorker,
    valkey: Redis,
    database: Database,
    project_id: str,
    call: Call,
    count: Count,
) -> None:
    dear = await deploy(project_id, name="dear", inference_cost=PRICE)
    await deploy(project_id, name="other", inference_cost=PRICE)
    budgets = {str(dear.model_id): "3"}
    key = await make_key(client, cast.manager, project_id, max_budget="10", model_budgets=budgets)

    async def opens(*names: str) -> None:
        async def does() -> bool:
            return await opened(valkey, key) == set(names)

        await until(does)

    await opens("dear", "other")
    await call(key, dear)
    await count()
    [seen] = await keys_seen(client, cast.manager)
    assert {model: Decimal(amount) for model, amount in seen["spent"].items()} == {str(dear.model_id): Decimal(2)}
    await opens("dear", "other")
    assert await told(database) == []
    await call(key, dear)
    await count()
    await opens("other")
    assert await told(database) == [key["name"]]
    await count()
    [seen] = await keys_seen(client, cast.manager)
    assert Decimal(seen["spent"][str(dear.model_id)]) == 4, "the same requests were charged twice"
    raised = {"model_budgets": {str(dear.model_id): "5"}}
    answer = await client.put(f"{PATH}{key['id']}", json=raised, headers=cast.manager.headers)
    assert answer.status_code == 200, answer.text
    await opens("dear", "other")


async def told(database: Database) -> list[str]:
    """Return the names of the keys of which somebody was told that a budget is used up."""
    payloads = [body["payload"] for _, body in await messages(database)]
    return [each["content"]["title"] for each in payloads if each["type"] == "credential_budget"]


async def test_a_key_whose_budget_is_used_up_opens_nothing_and_others_go_on(
    client: httpx.AsyncClient,
    cast: Cast,
    deploy: Deploy,
    worker: GatewayWorker,
    valkey: Redis,
    project_id: str,
    call: Call,
    count: Count,
) -> None:
    chat = await deploy(project_id, inference_cost=PRICE)
    spent = await make_key(client, cast.manager, project_id, name="spent", max_budget="4")
    fresh = await make_key(client, cast.manager, project_id, name="fresh", max_budget="4")

    async def are_open() -> bool:
        return await opened(valkey, spent) == await opened(valkey, fresh) == {"chat"}

    async def is_shut() -> bool:
        return (await opened(valkey, spent), await opened(valkey, fresh)) == (None, {"chat"})

    await until(are_open)
    await call(spent, chat, times=2)
    await count()
    await until(is_shut)


async def test_a_secret_before_the_rotation_opens_no_more_than_the_new_one(
    client: httpx.AsyncClient,
    cast: Cast,
    deploy: Deploy,
    worker: GatewayWorker,
    valkey: Redis,
    project_id: str,
    call: Call,
    count: Count,
) -> None:
    chat = await deploy(project_id, inference_cost=PRICE)
    old = await make_key(client, cast.manager, project_id, max_budget="2")
    path, grace = f"{PATH}{old['id']}/rotate", {"grace_seconds": 3600}
    new = (await client.post(path, json=grace, headers=cast.manager.headers)).json()["result"]

    async def are_open() -> bool:
        return await opened(valkey, old) == await opened(valkey, new) == {"chat"}

    async def are_shut() -> bool:
        return await opened(valkey, old) is await opened(valkey, new) is None

    await until(are_open)
    await call(old, chat)
    await count()
    await until(are_shut)


async def test_while_budmetrics_is_down_what_is_known_stays(
    client: httpx.AsyncClient,
    cast: Cast,
    deploy: Deploy,
    project_id: str,
    call: Call,
    count: Count,
    stand_in: Callable[[str], StandIn],
) -> None:
    chat = await deploy(project_id, inference_cost=PRICE)
    key = await make_key(client, cast.manager, project_id, max_budget="4")
    await call(key, chat)
    await count()
    peer = stand_in("budmetrics")
    await peer.does_wrong(project_id, status=500)
    with pytest.raises(PeerFailed):
        await count()
    await peer.behave()
    [seen] = await keys_seen(client, cast.manager)
    assert Decimal(seen["spent"][str(chat.model_id)]) == 2


def deployment(**fields: Any) -> Deployment:
    ids = {name: uuid4() for name in ("id", "tenant_id", "project_id", "model_id")}
    texts = {"name": "chat", "status": "running", "url": "", "namespace": "", "source": "local"}
    flags = {"is_published": False, "of_platform": False, "in_cloud": False}
    rest: dict[str, Any] = {"supported_endpoints": (), "settings": None, "inference_cost": PRICE}
    return Deployment(**{**ids, **texts, **flags, **rest, **fields})


def test_a_budget_that_is_reached_is_used_up() -> None:
    one, other = uuid4(), uuid4()
    key = Credential(max_budget=Decimal(4), model_budgets={str(one): "3", str(other): "1"})
    assert used_up(key, None) == UsedUp(False, frozenset())
    assert used_up(key, {str(one): "2.999999"}) == UsedUp(False, frozenset())
    assert used_up(key, {str(one): "3.000"}) == UsedUp(False, frozenset({one}))
    assert used_up(key, {str(one): "3", str(uuid4()): "1"}) == UsedUp(True, frozenset({one}))


def test_the_published_price_counts_before_what_running_costs() -> None:
    price = Price(Decimal("0.5"), Decimal("1.5"), "USD", 1000)
    assert cost(deployment(price=price), 2000, 1000) == Decimal("2.5")
    assert cost(deployment(), 2000, 1000) == Decimal(4)
    assert cost(deployment(inference_cost=None), 2000, 1000) == 0


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=8))
def test_each_token_is_charged_once_and_a_count_that_shrinks_gives_nothing_back(counts: list[tuple[int, int]]) -> None:
    one = deployment(price=Price(Decimal(1), Decimal(1), "USD", 1))
    key = Credential(spent=None, counted_tokens=None)
    known, expected = (0, 0), 0
    for tokens in counts:
        account = charged(key, {one.id: tokens, UUID(int=0): (1, 1)}, {one.id: one})
        key.spent, key.counted_tokens = dict(account.spent), {id_: list(n) for id_, n in account.counted.items()}
        expected += sum(max(0, new - old) for new, old in zip(tokens, known, strict=True))
        known = tokens
        assert Decimal(key.spent[str(one.model_id)]) == expected
