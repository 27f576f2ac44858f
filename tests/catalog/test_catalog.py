"""What clients can choose from: published deployments, with their prices."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from budapp.catalog_ops.schemas import CatalogDetail, CatalogModel
from budapp.commons.database import Database, now
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.schemas import ModelDetail
from budapp.pricing_ops.models import DeploymentPricing
from budapp.project_ops.models import Project
from tests.cast import Cast, Person
from tests.models.conftest import MakeModel, make_model, providers
from tests.statements import count_statements

__all__ = ["make_model", "providers"]

Publish = Callable[..., Awaitable[UUID]]


@pytest.fixture
def publish(database: Database, cast: Cast, make_model: MakeModel) -> Publish:
    """Return what publishes a new model under a name."""
    count = 0

    async def publish(name: str, owner: Person | None = None, price: str | None = "0.5", **facts: Any) -> UUID:
        nonlocal count
        count += 1
        owner = owner or cast.admin
        deployed = {key: facts.pop(key) for key in ("status", "is_published") if key in facts}
        model = await make_model(f"Model {name}", owner, **facts)
        mine = {"tenant_id": owner.tenant_id, "created_by": owner.id}
        project = Project(id=uuid7(), name=f"Of {name}", description="", tags=[], project_type="client_app", **mine)
        async with database.write() as session:
            session.add(project)
            await session.flush()
            about = {"url": "https://example.com", "namespace": "n", "status": "running", "is_published": True}
            endpoint = Endpoint(
                id=uuid7(), name=name, project_id=project.id, model_id=model.id, **mine, **about | deployed
            )
            endpoint.published_date = now() - timedelta(days=count)
            session.add(endpoint)
            await session.flush()
            if price is not None:
                for cost, is_current in ((Decimal("9"), False), (Decimal(price), True)):
                    costs = {"input_cost": cost, "output_cost": 2 * cost, "is_current": is_current}
                    session.add(DeploymentPricing(endpoint_id=endpoint.id, **costs, **mine))
        return endpoint.id

    return publish


async def listed(client: httpx.AsyncClient, person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/models/catalog?{query}", headers=person.headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["models"])


async def test_clients_see_what_is_published_with_its_current_price(
    client: httpx.AsyncClient, cast: Cast, publish: Publish
) -> None:
    facts = {"strengths": ["Follows instructions"], "architecture_text_config": {"context_length": 8192}}
    first = await publish("chat-7b", model_size=7_000_000_000, **facts)
    await publish("unpriced", price=None)
    await publish("hidden", is_published=False)
    await publish("gone", status="deleted")
    await publish("foreign", cast.other_admin)
    found = await listed(client, cast.client)
    assert [(row["endpoint_name"], row["pricing"] and row["pricing"]["input_cost"]) for row in found] == [
        ("chat-7b", 0.5),
        ("unpriced", None),
    ]
    row = found[0]
    assert row["pricing"] == {"input_cost": 0.5, "output_cost": 1.0, "currency": "USD", "per_tokens": 1000}
    assert (row["endpoint_id"], row["name"], row["token_limit"]) == (str(first), "Model chat-7b", 8192)
    assert (row["capabilities"], row["modality"]["text"]["input"]) == (["Follows instructions"], True)


async def test_a_deployment_that_is_not_running_stays_in_the_catalog(
    client: httpx.AsyncClient, cast: Cast, publish: Publish
) -> None:
    await publish("resting", status="unhealthy")
    assert len(await listed(client, cast.client)) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=assist", ["one"]),
        ("search=assistants", ["one"]),
        ("search=draw", ["two"]),
        ("search=MODEL TW", ["two"]),
        ("search=writ", ["one"]),
        ("search=nothing", []),
        ("modality=image_output&modality=audio_output", ["two"]),
        ("order_by=-name", ["two", "one"]),
        ("status=active&limit=1", ["one"]),
        ("status=deleted", []),
    ],
)
async def test_the_catalog_is_searched_and_filtered(
    client: httpx.AsyncClient, cast: Cast, publish: Publish, query: str, found: list[str]
) -> None:
    await publish("one", description="An assistant", use_cases=["Rewriting letters"])
    await publish("two", description="It draws pictures", modality=["text_input", "image_output"])
    assert [row["endpoint_name"] for row in await listed(client, cast.client, query)] == found


@pytest.mark.parametrize("query", ["search=x", "modality=smell", "limit=0", "status=draft"])
async def test_what_cannot_be_asked_for_is_422(client: httpx.AsyncClient, cast: Cast, query: str) -> None:
    answer = await client.get(f"/models/catalog?{query}", headers=cast.client.headers)
    assert answer.status_code == 422


async def test_a_published_model_is_shown_without_what_is_nothing_to_clients(
    client: httpx.AsyncClient, cast: Cast, publish: Publish
) -> None:
    endpoint_id = await publish("chat-7b", local_path="secret_folder")
    answer = await client.get(f"/models/catalog/{endpoint_id}", headers=cast.client.headers)
    found = answer.json()
    assert (found["endpoint_name"], found["model"]["name"]) == ("chat-7b", "Model chat-7b")
    assert found["pricing"]["output_cost"] == 1.0
    assert "secret_folder" not in answer.text
    assert cast.admin.email not in answer.text


def test_what_clients_may_know_of_a_model_is_named_field_by_field() -> None:
    """Whoever adds one here has thought of who will read it."""
    internal = {"created_user", "local_path", "model_cluster_recommended"}
    assert set(CatalogDetail.model_fields) == set(ModelDetail.model_fields) - internal
    assert {"scan_result", "eval_result"}.isdisjoint(CatalogModel.model_fields)


async def test_what_is_not_published_or_elsewhere_is_404(
    client: httpx.AsyncClient, cast: Cast, publish: Publish
) -> None:
    for endpoint_id in (await publish("hidden", is_published=False), await publish("far", cast.other_admin), uuid7()):
        answer = await client.get(f"/models/catalog/{endpoint_id}", headers=cast.client.headers)
        assert answer.status_code == 404


async def test_the_catalog_costs_one_statement(
    client: httpx.AsyncClient, cast: Cast, publish: Publish, database: Database
) -> None:
    await publish("one")
    await listed(client, cast.client)
    with count_statements(database) as sent:
        await listed(client, cast.client)
    assert len(sent) <= 2
