"""Routers in the gateway's tables: one name, the first endpoint that serves, and the others to fall back on."""

from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from budapp.commons.database import Database
from budapp.endpoint_ops.models import Endpoint
from budapp.gateway_ops.services import GatewayTables
from tests.api_keys.data import make_key
from tests.cast import Cast
from tests.gateway.conftest import Deploy
from tests.gateway.reader import ModelConfig, read_key, read_model
from tests.gateway.test_tables import entry_of, opened, project_id

__all__ = ["project_id"]


@pytest.fixture
async def endpoints(project_id: str, deploy: Deploy) -> list[Endpoint]:
    return [await deploy(project_id, name=name, url=f"http://10.0.0.7/{name}") for name in ("one", "two", "three")]


@pytest.fixture
async def router(client: httpx.AsyncClient, cast: Cast, project_id: str, endpoints: list[Endpoint]) -> dict[str, Any]:
    one, two, three = (str(endpoint.id) for endpoint in endpoints)
    targets = [{"endpoint_id": two, "fallback_endpoint_ids": [three]}, {"endpoint_id": one}]
    body = {"project_id": project_id, "name": "either", "description": "", "endpoints": targets}
    answer = await client.post("/routers/", json=body, headers=cast.manager.headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["result"])


async def model_of(valkey: Redis, router: dict[str, Any]) -> ModelConfig | None:
    name = f"model_table:{router['id']}"
    value = await valkey.get(name)
    return read_model(name, value) if value is not None else None


def base_of(model: ModelConfig | None) -> str:
    assert model is not None
    base = str(model.providers["vllm"].model_dump()["api_base"])
    return base.removesuffix("/v1").rpartition("/")[2]


async def set_status(database: Database, endpoint: Endpoint, status: str) -> None:
    async with database.write() as session:
        (await session.get_one(Endpoint, endpoint.id)).status = status


async def test_a_router_is_called_like_its_first_endpoint_and_falls_back_on_the_others(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    endpoints: list[Endpoint],
    router: dict[str, Any],
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    one, two, three = endpoints
    key = await make_key(client, cast.developer, project_id)
    await tables.apply_changes()
    assert await opened(valkey, key) == {"one", "two", "three", "either"}
    model = await model_of(valkey, router)
    assert model is not None
    assert (base_of(model), model.fallback_models) == ("two", [str(three.id), str(one.id)])
    await set_status(database, two, "failure")
    await tables.apply_changes()
    model = await model_of(valkey, router)
    assert model is not None
    assert (base_of(model), model.fallback_models) == ("three", [str(one.id)])
    assert not await tables.diff()
    for endpoint in (one, three):
        await set_status(database, endpoint, "deleted")
    await tables.apply_changes()
    assert await model_of(valkey, router) is None
    assert await opened(valkey, key) == set()
    assert not await tables.diff()


async def test_a_router_that_is_deleted_renamed_or_replaced_leaves_nothing(
    client: httpx.AsyncClient,
    cast: Cast,
    project_id: str,
    endpoints: list[Endpoint],
    router: dict[str, Any],
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    key = await make_key(client, cast.developer, project_id)
    path = f"/routers/{router['id']}"
    body = {"project_id": project_id, "name": "both", "description": ""}
    body["endpoints"] = [{"endpoint_id": str(endpoints[0].id)}]  # type: ignore[assignment]
    assert (await client.put(path, json=body, headers=cast.manager.headers)).status_code == 200
    await tables.apply_changes()
    assert await opened(valkey, key) == {"one", "two", "three", "both"}
    model = await model_of(valkey, router)
    assert (base_of(model), model.fallback_models if model else "") == ("one", None)
    assert (await client.delete(path, headers=cast.manager.headers)).status_code == 200
    await tables.apply_changes()
    assert await opened(valkey, key) == {"one", "two", "three"}
    assert await model_of(valkey, router) is None
    assert not await tables.diff()


async def test_a_limited_key_opens_a_router_only_with_all_that_it_leads_to(
    client: httpx.AsyncClient,
    cast: Cast,
    project_id: str,
    endpoints: list[Endpoint],
    router: dict[str, Any],
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    ids = [str(endpoint.id) for endpoint in endpoints]
    models = [str(endpoint.model_id) for endpoint in endpoints]
    wide = await make_key(client, cast.developer, project_id, name="Wide", endpoint_ids=ids)
    narrow = await make_key(client, cast.developer, project_id, name="Narrow", endpoint_ids=ids[:2])
    few = await make_key(client, cast.developer, project_id, name="Few", model_ids=models[:1])
    await tables.apply_changes()
    assert await opened(valkey, wide) == {"one", "two", "three", "either"}
    assert await opened(valkey, narrow) == {"one", "two"}
    assert await opened(valkey, few) == {"one"}


async def test_a_deployment_keeps_its_name_before_a_router(
    client: httpx.AsyncClient,
    cast: Cast,
    project_id: str,
    router: dict[str, Any],
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
) -> None:
    same = await deploy(project_id, name="either", url="http://10.0.0.7/same")
    key = await make_key(client, cast.developer, project_id)
    await tables.apply_changes()
    references, _ = read_key(await valkey.get(entry_of(key)))
    assert references["either"].endpoint_id == same.id
