"""The lists of models, and of what they are filtered by."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from budapp.commons.database import Database
from budapp.provider_ops.models import Provider
from tests.cast import Cast, Person
from tests.models.conftest import MakeModel, marks, offer
from tests.statements import count_statements


async def names(client: httpx.AsyncClient, person: Person, query: str, source: str = "model") -> list[str]:
    path = f"/models/?table_source={source}&order_by=name&limit=100&{query}"
    answer = await client.get(path, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return [row["model"]["name"] for row in answer.json()["models"]]


@pytest.fixture
async def three(make_model: MakeModel) -> None:
    await make_model(
        "alpha",
        author="acme",
        model_size=7_000_000_000,
        tags=marks("chat", "small"),
        tasks=marks("text-generation"),
        description="Talks",
    )
    await make_model(
        "beta",
        author="bulk",
        model_size=70_000_000_000,
        tags=marks("chat"),
        tasks=marks("summarization"),
        base_model=["acme/alpha"],
        base_model_relation="finetune",
    )
    await make_model(
        "gamma",
        modality=["text_input", "image_output"],
        supported_endpoints=["/v1/images/generations"],
        base_model=["acme/alpha"],
        base_model_relation="adapter",
        provider_type="hugging_face",
        description="Draws an alphabet",
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["alpha", "beta", "gamma"]),
        ("name=alpha", ["alpha"]),
        ("name=ALPHA", []),
        ("name=LPH&search=true", ["alpha"]),
        ("name=lph&description=lph&search=true", ["alpha", "gamma"]),
        ("name=%25&search=true", []),
        ("name=alph&tag=alph&search=true", ["alpha"]),
        ("name=MALL&tag=MALL&search=true", ["alpha"]),
        ("name=gamma&tag=small&search=true", ["alpha", "gamma"]),
        ("name=a&tag=a&search=true&provider_type=hugging_face", ["gamma"]),
        ("name=a&tag=a&search=true&tags=small", ["alpha"]),
        ("name=alpha&tag=small", ["alpha"]),
        ("name=beta&tag=small", []),
        ("tag=chat", ["alpha", "beta"]),
        ("tags=small&tags=nothing", ["alpha"]),
        ("tasks=summarization&tasks=text-generation", ["alpha", "beta"]),
        ("author=acme&author=bulk", ["alpha", "beta"]),
        ("model_size_min=10", ["beta"]),
        ("model_size_min=7&model_size_max=7", ["alpha"]),
        ("modality=image_output&modality=audio_output", ["gamma"]),
        ("supported_endpoints=/v1/images/generations", ["gamma"]),
        ("base_model=acme/alpha", ["beta", "gamma"]),
        ("base_model=acme/alpha&base_model_relation=adapter", ["gamma"]),
        ("exclude_adapters=true", ["alpha", "beta"]),
        ("provider_type=hugging_face", ["gamma"]),
        ("source=elsewhere", []),
    ],
)
async def test_a_filter_finds_what_fits_it_and_nothing_else(
    client: httpx.AsyncClient, cast: Cast, three: None, query: str, found: list[str]
) -> None:
    assert await names(client, cast.developer, query) == found


@pytest.mark.parametrize(
    "query", ["model_size_min=-1", "modality=smell", "supported_endpoints=/etc", "tag=" + "x" * 201]
)
async def test_a_filter_that_cannot_be_is_422(client: httpx.AsyncClient, cast: Cast, query: str) -> None:
    answer = await client.get(f"/models/?table_source=model&{query}", headers=cast.developer.headers)
    assert (answer.status_code, answer.json()["param"].partition(".")[0]) == (422, query.partition("=")[0])


@pytest.mark.parametrize("query", ["author=acme", "base_model=acme/alpha", "base_model_relation=adapter"])
async def test_what_only_the_repository_has_is_refused_for_clouds(
    client: httpx.AsyncClient, cast: Cast, query: str
) -> None:
    answer = await client.get(f"/models/?{query}", headers=cast.developer.headers)
    assert (answer.status_code, answer.json()["param"]) == (400, query.partition("=")[0])


async def test_models_of_clouds_must_have_every_modality_asked_for(
    client: httpx.AsyncClient, cast: Cast, providers: None
) -> None:
    seeing = await names(client, cast.developer, "modality=image_input&modality=text_input", "cloud_model")
    assert "gpt-4o" in seeing
    assert "mistral-large-latest" not in seeing
    assert "text-embedding-3-small" in await names(
        client, cast.developer, "supported_endpoints=/v1/embeddings", "cloud_model"
    )


async def test_a_page_costs_two_statements_at_most(
    client: httpx.AsyncClient, cast: Cast, three: None, database: Database
) -> None:
    await names(client, cast.developer, "")
    with count_statements(database) as sent:
        await names(client, cast.developer, "tag=chat&name=a&search=true")
    assert len([statement for statement in sent if statement.lstrip().upper().startswith("SELECT")]) <= 2


async def listed(client: httpx.AsyncClient, person: Person, path: str) -> dict[str, Any]:
    answer = await client.get(path, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_tags_tasks_and_authors_are_listed_once_each(
    client: httpx.AsyncClient, cast: Cast, three: None, make_model: MakeModel
) -> None:
    await make_model("foreign", cast.other_admin, author="spy", tags=marks("secret"), tasks=marks("spying"))
    await make_model("gone", author="ghost", tags=marks("old"), status="deleted")
    tags = await listed(client, cast.developer, "/models/tags?page=1&limit=1000")
    assert [tag["name"] for tag in tags["tags"]] == ["chat", "small"]
    assert tags["tags"][0]["color"] == "#3F8EF7"
    tasks = await listed(client, cast.developer, "/models/tasks")
    assert [task["name"] for task in tasks["tasks"]] == ["summarization", "text-generation"]
    authors = await listed(client, cast.developer, "/models/authors?limit=1000")
    assert (authors["authors"], authors["total_record"]) == (["acme", "bulk"], 2)


async def test_tags_and_authors_are_searched(client: httpx.AsyncClient, cast: Cast, three: None) -> None:
    assert len((await listed(client, cast.developer, "/models/tags?name=MAL"))["tags"]) == 1
    assert (await listed(client, cast.developer, "/models/authors?author=CM&search=true"))["authors"] == ["acme"]
    assert (await listed(client, cast.developer, "/models/authors?author=cm"))["authors"] == []
    second = await listed(client, cast.developer, "/models/tags?page=2&limit=1")
    assert ([tag["name"] for tag in second["tags"]], second["total_pages"]) == (["small"], 2)


async def test_tags_that_many_clouds_use_are_recommended_first(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await offer(database, "one/a", tags=marks("rare", "chat"))
    await offer(database, "two/b", tags=marks("chat"))
    await offer(database, "three/c", tags=None)
    found = await listed(client, cast.developer, "/models/cloud-models/recommended-tags")
    assert [(tag["name"], tag["count"]) for tag in found["tags"]] == [("chat", 2), ("rare", 1)]


async def test_a_model_is_shown_with_how_many_of_the_tenants_own_were_made_of_it(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel
) -> None:
    model = await make_model("base")
    of_it = {"base_model": [model.uri], "base_model_relation": "finetune"}
    await make_model("mine", **of_it)
    await make_model("foreign", cast.other_admin, **of_it)
    await make_model("gone", status="deleted", **of_it)
    shown = (await client.get(f"/models/{model.id}", headers=cast.developer.headers)).json()
    assert shown["model_tree"]["finetunes_count"] == 1


async def test_what_a_cloud_that_is_out_of_the_catalog_offered_is_not_listed(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await offer(database, "left/out")
    assert await names(client, cast.developer, "", "cloud_model") == ["out"]
    async with database.write() as session:
        await session.execute(update(Provider).where(Provider.type == "left").values(is_active=False))
    assert await names(client, cast.developer, "", "cloud_model") == []
