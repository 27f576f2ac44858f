"""How models do in benchmarks, as budmodel tells it."""

from uuid import uuid4

import httpx
import pytest

from budapp.commons.database import Database
from tests.cast import Cast
from tests.models.conftest import MakeModel, offer
from tests.peers.conftest import StandIn


async def test_a_model_stands_among_others_with_named_scores(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, budmodel: StandIn
) -> None:
    model = await make_model("Tiny-7b")
    answer = await client.get(f"/models/{model.id}/leaderboards?table_source=model&k=3", headers=cast.developer.headers)
    rows = answer.json()["leaderboards"]
    assert [(row["model"]["uri"] == "acme/Tiny-7b", row["model"]["is_selected"]) for row in rows] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    mmlu = rows[0]["benchmarks"]["mmlu"]
    assert (mmlu["type"], mmlu["label"]) == ("Knowledge", "MMLU")
    assert isinstance(mmlu["value"], float)


async def test_a_model_of_a_cloud_has_a_leaderboard_too(
    client: httpx.AsyncClient, cast: Cast, database: Database, budmodel: StandIn
) -> None:
    offered = await offer(database, "acme/cloudy")
    path = f"/models/{offered}/leaderboards"
    found = await client.get(f"{path}?table_source=cloud_model", headers=cast.developer.headers)
    assert found.json()["leaderboards"][0]["model"]["uri"] == "acme/cloudy"
    assert (await client.get(path, headers=cast.developer.headers)).status_code == 404


async def test_the_tenants_models_are_compared_and_no_others(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, budmodel: StandIn
) -> None:
    await make_model("One")
    await make_model("Two", provider_type="hugging_face")
    await make_model("Foreign", cast.other_admin)
    body = {"benchmarks": ["mmlu", "arcc"], "k": 5}
    answer = await client.post("/models/top-leaderboards", json=body, headers=cast.developer.headers)
    rows = answer.json()["leaderboards"]
    assert {(row["name"], row["provider_type"]) for row in rows} == {("One", "disk"), ("Two", "hugging_face")}
    scores = {score["field"]: score for score in rows[0]["benchmarks"]}
    assert (scores["mmlu"]["label"], scores["arcc"]["label"], scores["arcc"]["type"]) == ("MMLU", "arcc", None)


async def test_without_models_there_is_nothing_to_ask(client: httpx.AsyncClient, cast: Cast, budmodel: StandIn) -> None:
    fields = [f"field-{uuid4()}"]
    await budmodel.does_wrong(fields[0], status=500)
    body = {"benchmarks": fields}
    answer = await client.post("/models/top-leaderboards", json=body, headers=cast.other_developer.headers)
    assert (answer.status_code, answer.json()["leaderboards"]) == (200, [])


@pytest.mark.parametrize("body", [{"benchmarks": []}, {"benchmarks": ["mmlu"], "k": 0}, {"k": 5}])
async def test_a_comparison_of_nothing_is_422(client: httpx.AsyncClient, cast: Cast, body: dict[str, object]) -> None:
    answer = await client.post("/models/top-leaderboards", json=body, headers=cast.developer.headers)
    assert answer.status_code == 422


async def test_a_budmodel_that_fails_is_502(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, budmodel: StandIn
) -> None:
    model = await make_model(f"Tiny-{uuid4()}")
    await budmodel.does_wrong(model.name, status=500)
    answer = await client.get(f"/models/{model.id}/leaderboards", headers=cast.developer.headers)
    assert answer.status_code == 502
