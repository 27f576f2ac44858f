"""Publishing endpoints under a price: the catalog, the histories, and what is refused."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from budapp.commons.database import Database
from budapp.pricing_ops.models import DeploymentPricing
from tests.cast import Cast, Person
from tests.endpoints.conftest import MakeEndpoint
from tests.statements import Statements

PRICE = {"input_cost": 0.1, "output_cost": "0.000001", "currency": "eur", "per_tokens": 100}


async def put(
    client: httpx.AsyncClient, person: Person, endpoint_id: UUID, what: str = "publish", **body: Any
) -> httpx.Response:
    return await client.put(f"/endpoints/{endpoint_id}/{what}", json=body, headers=person.headers)


async def get(client: httpx.AsyncClient, person: Person, endpoint_id: UUID, what: str) -> dict[str, Any]:
    answer = await client.get(f"/endpoints/{endpoint_id}/{what}", headers=person.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def in_catalog(client: httpx.AsyncClient, cast: Cast) -> list[tuple[str, float]]:
    models = (await client.get("/models/catalog", headers=cast.client.headers)).json()["models"]
    return [(model["endpoint_name"], model["pricing"]["input_cost"]) for model in models]


async def test_what_is_published_is_in_the_catalog_at_once_and_gone_once_withdrawn(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    assert await in_catalog(client, cast) == []
    answer = await put(client, cast.developer, endpoint.id, action="publish", pricing=PRICE)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["is_published"], body["published_by"]) == (True, str(cast.developer.id))
    assert (body["pricing"]["input_cost"], body["pricing"]["output_cost"]) == ("0.1", "0.000001")
    assert (body["pricing"]["currency"], body["pricing"]["per_tokens"]) == ("EUR", 100)
    assert await in_catalog(client, cast) == [("chat", 0.1)]
    assert (await client.get(f"/models/catalog/{endpoint.id}", headers=cast.client.headers)).status_code == 200
    changed = await put(client, cast.developer, endpoint.id, "pricing", input_cost=3, output_cost=4)
    assert (changed.status_code, changed.json()["input_cost"]) == (200, "3")
    assert await in_catalog(client, cast) == [("chat", 3.0)]
    detail = await get(client, cast.tester, endpoint.id, "model-cluster-detail")
    assert detail["result"]["model"]["pricing"]["output_cost"] == 4.0
    body = (await put(client, cast.admin, endpoint.id, action="unpublish")).json()
    assert (body["is_published"], body["published_date"]) == (False, None)
    assert (body["published_by"], body["pricing"]["input_cost"]) == (str(cast.admin.id), "3")
    assert await in_catalog(client, cast) == []
    assert (await client.get(f"/models/catalog/{endpoint.id}", headers=cast.client.headers)).status_code == 404


async def test_histories_tell_who_did_what_when(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, statements: Statements
) -> None:
    endpoint = await make_endpoint("chat")
    note = {"ticket": "A-1"}
    for action in ("publish", "publish", "unpublish", "unpublish", "publish"):
        body: dict[str, Any] = {
            "action": action,
            "action_metadata": note,
            "pricing": PRICE if action == "publish" else None,
        }
        assert (await put(client, cast.developer, endpoint.id, **body)).status_code == 200
    await put(client, cast.developer, endpoint.id, action="publish", pricing={"input_cost": 2, "output_cost": 2})
    history = await get(client, cast.tester, endpoint.id, "publication-history")
    assert [entry["action"] for entry in history["history"]] == ["publish", "unpublish", "publish"]
    newest = history["history"][0]
    assert (newest["previous_state"]["is_published"], newest["new_state"]["is_published"]) == (False, True)
    assert newest["performed_by_user"]["email"] == cast.developer.email
    assert (newest["action_metadata"], newest["deployment_id"]) == (note, str(endpoint.id))
    assert (history["limit"], history["total_record"]) == (20, 3)
    prices = await get(client, cast.tester, endpoint.id, "pricing/history?limit=1")
    assert [(row["input_cost"], row["is_current"]) for row in prices["pricing_history"]] == [("2", True)]
    assert prices["total_record"] == 2
    statements.clear()
    await get(client, cast.tester, endpoint.id, "publication-history")
    assert len(statements) == 2


@pytest.mark.parametrize("status", ["pending", "unhealthy", "deploying", "failure", "deleting"])
async def test_only_what_runs_is_published(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, status: str
) -> None:
    endpoint = await make_endpoint("chat", status=status)
    answer = await put(client, cast.admin, endpoint.id, action="publish", pricing=PRICE)
    assert (answer.status_code, status in answer.json()["message"]) == (400, True)
    assert (await client.get(f"/endpoints/{endpoint.id}/pricing", headers=cast.admin.headers)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"input_cost": -0.1},
        {"input_cost": 10_000},
        {"input_cost": "0.0000001"},
        {"input_cost": 1e-7},
        {"output_cost": "NaN"},
        {"output_cost": None},
        {"currency": "EURO"},
        {"currency": ""},
        {"currency": "1$"},
        {"per_tokens": 0},
        {"per_tokens": 2**40},
    ],
)
async def test_prices_that_make_no_sense_are_422(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, change: Any
) -> None:
    endpoint = await make_endpoint("chat")
    answer = await put(client, cast.admin, endpoint.id, action="publish", pricing={**PRICE, **change})
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["param"]


@pytest.mark.parametrize("cost", ["9999.999999", "0.1", "0", "1234.5", 0.3, 1e-6])
async def test_costs_come_back_exactly(
    client: httpx.AsyncClient, cast: Cast, database: Database, make_endpoint: MakeEndpoint, cost: Any
) -> None:
    endpoint = await make_endpoint("chat")
    await put(client, cast.admin, endpoint.id, action="publish", pricing={"input_cost": cost, "output_cost": cost})
    found = await get(client, cast.admin, endpoint.id, "pricing")
    assert Decimal(found["input_cost"]) == Decimal(str(cost))
    assert "E" not in found["input_cost"]
    async with database.read() as session:
        assert await session.scalar(select(DeploymentPricing.input_cost)) == Decimal(str(cost))


async def test_publishing_takes_a_price_and_a_price_takes_publishing(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    assert (await put(client, cast.admin, endpoint.id, action="publish")).status_code == 422
    answer = await put(client, cast.admin, endpoint.id, "pricing", input_cost=1, output_cost=1)
    assert (answer.status_code, "not published" in answer.json()["message"]) == (400, True)
    for metadata in ({"a": "x" * 10_001}, {"a": "\0"}, {"a": 2**70}):
        answer = await put(client, cast.admin, endpoint.id, action="unpublish", action_metadata=metadata)
        assert (answer.status_code, answer.json()["param"]) == (422, "action_metadata")


async def test_who_may_only_look_publishes_and_prices_nothing(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    for person, status in ((cast.tester, 403), (cast.client, 404), (cast.other_admin, 404)):
        answer = await put(client, person, endpoint.id, action="publish", pricing=PRICE)
        assert answer.status_code == status
        assert (await put(client, person, endpoint.id, "pricing", input_cost=1, output_cost=1)).status_code == status
    assert await in_catalog(client, cast) == []


async def test_of_two_publications_at_once_one_is_written(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    calls = (put(client, cast.admin, endpoint.id, action="publish", pricing=PRICE) for _ in range(6))
    answers = await asyncio.gather(*calls)
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["published_date"] for answer in answers}) == 1
    assert (await get(client, cast.admin, endpoint.id, "publication-history"))["total_record"] == 1
    assert (await get(client, cast.admin, endpoint.id, "pricing/history"))["total_record"] == 1


async def test_of_prices_set_at_once_one_is_current(
    client: httpx.AsyncClient, cast: Cast, database: Database, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    await put(client, cast.admin, endpoint.id, action="publish", pricing=PRICE)
    calls = (put(client, cast.admin, endpoint.id, "pricing", input_cost=cost, output_cost=1) for cost in range(1, 7))
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
    history = await get(client, cast.admin, endpoint.id, "pricing/history")
    assert history["total_record"] == 7
    async with database.read() as session:
        current = select(func.count()).where(DeploymentPricing.is_current)
        assert await session.scalar(current) == 1
