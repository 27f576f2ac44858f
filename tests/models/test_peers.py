"""Services of the platform that add, read and delete models for somebody."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from tests.cast import Cast
from tests.models.conftest import MakeModel

BEGIN = {"step_number": 1, "workflow_total_steps": 5, "provider_type": "hugging_face"}


@pytest.fixture
def sidecar(settings: Settings) -> dict[str, str]:
    return {"dapr-api-token": settings.app_api_token.get_secret_value()}


@pytest.fixture
def system_user(app: FastAPI, cast: Cast) -> Iterator[None]:
    components_of(app)[Settings].system_user_id = cast.admin.id
    yield
    components_of(app)[Settings].system_user_id = None


async def test_a_service_may_what_the_user_may_that_it_names(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, sidecar: dict[str, str]
) -> None:
    model = await make_model("Ours")
    path, whom = f"/models/{model.id}", f"user_id={cast.tester.id}"
    assert (await client.get(f"{path}?{whom}", headers=sidecar)).json()["model"]["name"] == "Ours"
    assert (await client.delete(f"{path}?{whom}", headers=sidecar)).status_code == 403
    other = f"user_id={cast.other_admin.id}"
    assert (await client.get(f"{path}?{other}", headers=sidecar)).status_code == 404
    assert (await client.delete(f"{path}?user_id={cast.developer.id}", headers=sidecar)).status_code == 200


async def test_a_workflow_that_a_service_begins_is_the_users(
    client: httpx.AsyncClient, cast: Cast, sidecar: dict[str, str]
) -> None:
    path = f"/models/local-model-workflow?user_id={cast.developer.id}"
    begun = (await client.post(path, json=BEGIN, headers=sidecar)).json()
    own = await client.get(f"/workflows/{begun['workflow_id']}", headers=cast.developer.headers)
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("?user_id=", 400), ("?user_id=x", 400), ("?user_id=00000000-0000-4000-8000-000000000000", 404)],
)
async def test_a_service_must_name_somebody_who_is_there(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, sidecar: dict[str, str], query: str, status: int
) -> None:
    model = await make_model("Ours")
    answer = await client.get(f"/models/{model.id}{query}", headers=sidecar)
    assert (answer.status_code, answer.json()["param"]) == (status, "user_id")


async def test_without_a_name_it_acts_for_the_system_user(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, sidecar: dict[str, str], system_user: None
) -> None:
    model = await make_model("Ours")
    assert (await client.get(f"/models/{model.id}", headers=sidecar)).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"dapr-api-token": "guess"}, {"x-app-api-token": ""}])
async def test_whoever_lacks_the_app_token_is_nobody(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, system_user: None, headers: dict[str, Any]
) -> None:
    model = await make_model("Ours")
    path = f"/models/{model.id}?user_id={cast.admin.id}"
    assert (await client.get(path, headers=headers)).status_code == 401
    assert (await client.delete(path, headers=headers)).status_code == 401


async def test_a_person_cannot_act_for_another(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, sidecar: dict[str, str]
) -> None:
    model = await make_model("Ours")
    path = f"/models/{model.id}?user_id={cast.admin.id}"
    assert (await client.delete(path, headers=cast.tester.headers)).status_code == 403
    assert (await client.delete(path, headers={**sidecar, **cast.tester.headers})).status_code == 403


async def test_nobody_acts_for_a_user_who_has_not_come_yet(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, sidecar: dict[str, str]
) -> None:
    model = await make_model("Ours")
    answer = await client.get(f"/models/{model.id}?user_id={cast.invited.id}", headers=sidecar)
    assert answer.status_code == 403
