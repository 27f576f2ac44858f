"""The catalog of clouds, read from a file or an address and brought into the tables."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Response
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.errors import AppError, BadRequest, PeerFailed, Unavailable
from budapp.endpoint_ops.models import Endpoint
from budapp.integrations.outgoing import Outgoing
from budapp.provider_ops.catalog import BUNDLED, read_catalog, sync_from
from budapp.provider_ops.models import CloudModel, Provider
from tests.cast import Cast
from tests.command_line import budapp
from tests.events.sidecar import serve
from tests.models.conftest import MakeModel
from tests.projects.data import create

Json = dict[str, Any]

OUTGOING = Outgoing(["127.0.0.0/8"])


def provider(type: str, *uris: str, **facts: Any) -> Json:
    return {"type": type, "name": type.title(), "models": [{"uri": uri, **facts} for uri in uris]}


def written(folder: Path, *providers: Json) -> str:
    path = folder / "catalog.json"
    path.write_text(json.dumps(providers))
    return str(path)


async def offered(client: httpx.AsyncClient, cast: Cast) -> dict[str, Json]:
    answer = await client.get("/models/?limit=100", headers=cast.developer.headers)
    return {row["model"]["uri"]: row["model"] for row in answer.json()["models"]}


async def test_what_comes_with_the_service_is_whole_and_applied_twice_without_a_change(database: Database) -> None:
    first = await sync_from(database, OUTGOING, None)
    seeds = json.loads(BUNDLED.read_text())
    assert first.providers_added == len(seeds) >= 20
    assert first.models_added == sum(len(seed["models"]) for seed in seeds) >= 60
    second = await sync_from(database, OUTGOING, None)
    assert set(second.model_dump().values()) == {0}


async def test_models_come_change_go_and_come_back(
    client: httpx.AsyncClient, cast: Cast, database: Database, tmp_path: Path
) -> None:
    both = [provider("one", "one/a", "one/b", tags=["chat"]), provider("two", "two/c")]
    await sync_from(database, OUTGOING, written(tmp_path, *both))
    found = await offered(client, cast)
    assert set(found) == {"one/a", "one/b", "two/c"}
    assert (found["one/a"]["name"], found["one/a"]["source"], found["one/a"]["tags"][0]["name"]) == ("a", "one", "chat")
    fewer = await sync_from(database, OUTGOING, written(tmp_path, provider("one", "one/a", kind="embedding")))
    assert (fewer.models_changed, fewer.models_removed, fewer.providers_removed) == (1, 2, 1)
    found = await offered(client, cast)
    assert set(found) == {"one/a"}
    assert found["one/a"]["supported_endpoints"]["embedding"]["enabled"]
    listed = await client.get("/models/providers", headers=cast.developer.headers)
    assert [one["type"] for one in listed.json()["providers"]] == ["one"]
    back = await sync_from(database, OUTGOING, written(tmp_path, *both))
    assert (back.models_added, back.models_changed, back.providers_changed) == (0, 3, 1)
    assert set(await offered(client, cast)) == {"one/a", "one/b", "two/c"}


async def test_providers_are_listed_in_the_order_of_the_catalog_with_icons_of_ours(
    client: httpx.AsyncClient, cast: Cast, database: Database, tmp_path: Path
) -> None:
    icons = {"zeta": "icons/providers/openai.svg", "beta": "https://example.com/logo.png", "alpha": None}
    providers = [{**provider(type, f"{type}/a"), "icon": icon} for type, icon in icons.items()]
    await sync_from(database, OUTGOING, written(tmp_path, *providers))

    async def listed(query: str = "") -> list[tuple[str, str]]:
        answer = await client.get(f"/models/providers{query}", headers=cast.developer.headers)
        return [(one["type"], one["icon"]) for one in answer.json()["providers"]]

    zeta, beta, alpha = (
        ("zeta", "icons/providers/openai.svg"),
        ("beta", "icons/monograms/b.svg"),
        ("alpha", "icons/monograms/a.svg"),
    )
    assert await listed() == [zeta, beta, alpha]
    assert await listed("?order_by=name") == [alpha, beta, zeta]
    await sync_from(database, OUTGOING, written(tmp_path, *reversed(providers)))
    assert await listed() == [alpha, beta, zeta]


async def test_deployments_of_what_is_gone_are_deprecated_until_it_is_back(
    cast: Cast, client: httpx.AsyncClient, database: Database, make_model: MakeModel, tmp_path: Path
) -> None:
    kind = {"source": "one", "provider_type": "cloud_model"}
    models = [await make_model(name, uri=f"one/{name}", **kind) for name in ("a", "b", "own")]
    models.append(await make_model("same uri elsewhere", uri="one/b", source="two", provider_type="cloud_model"))
    project = await create(client, cast.manager)
    about = {"project_id": UUID(project["id"]), "url": "https://example.com", "namespace": "n", "status": "running"}
    mine = {"tenant_id": cast.tenant_id, "created_by": cast.manager.id}
    async with database.write() as session:
        session.add_all(Endpoint(id=uuid7(), name=model.name, model_id=model.id, **about, **mine) for model in models)

    async def deprecated() -> set[str]:
        async with database.read() as session:
            return set(await session.scalars(select(Endpoint.name).where(Endpoint.is_deprecated)))

    await sync_from(database, OUTGOING, written(tmp_path, provider("one", "one/a", "one/b")))
    assert await deprecated() == set()
    await sync_from(database, OUTGOING, written(tmp_path, provider("one", "one/a")))
    assert await deprecated() == {"b"}
    await sync_from(database, OUTGOING, written(tmp_path, provider("one", "one/a", "one/b")))
    assert await deprecated() == set()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("{}", "at the top level"),
        ("[", "Invalid JSON"),
        ("[]", "no models"),
        (json.dumps([provider("one")]), "no models"),
        (json.dumps([provider("ONE", "one/a")]), "0.type"),
        (json.dumps([provider("one", "one/a", "one/a")]), "one/a twice"),
        (json.dumps([provider("one", "one/a"), provider("one", "one/b")]), "one twice"),
        (json.dumps([provider("one", "one/a", model_size=-1)]), "0.models.0.model_size"),
    ],
)
async def test_a_mistake_is_named_and_nothing_is_changed(
    database: Database, tmp_path: Path, content: str, place: str
) -> None:
    await sync_from(database, OUTGOING, None)
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(BadRequest, match=place):
        await sync_from(database, OUTGOING, str(path))
    async with database.read() as session:
        active = await session.scalar(select(func.count()).select_from(CloudModel).where(CloudModel.status == "active"))
        assert (active or 0) >= 60
        assert await session.scalar(select(Provider.id).where(Provider.is_active.is_(False))) is None


async def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="can't be read"):
        await read_catalog(str(tmp_path / "nothing.json"), OUTGOING)


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Where catalogs are served: in pages, as one list, and broken."""
    served = FastAPI()
    pages = [[provider("one", "one/a")], [provider("two", "two/b", supported_endpoints=["/v1/embeddings", "/odd"])]]

    @served.get("/pages")
    def in_pages(page: int, limit: int) -> Json:
        assert limit == 5
        return {"items": pages[page - 1], "total_pages": 2}

    @served.get("/list")
    def as_list() -> list[Json]:
        return pages[0]

    @served.get("/broken")
    def broken() -> Response:
        return Response("<html>")

    async with serve(served) as port:
        yield f"http://127.0.0.1:{port}"


async def test_an_address_serves_pages_or_a_list(address: str) -> None:
    found = await read_catalog(f"{address}/pages", OUTGOING)
    assert [model.uri for one in found for model in one.models] == ["one/a", "two/b"]
    assert [one.type for one in await read_catalog(f"{address}/list", OUTGOING)] == ["one"]


async def test_endpoints_that_nobody_knows_are_left_out(
    client: httpx.AsyncClient, cast: Cast, database: Database, address: str
) -> None:
    await sync_from(database, OUTGOING, f"{address}/pages")
    endpoints = (await offered(client, cast))["two/b"]["supported_endpoints"]
    assert [name for name, one in endpoints.items() if one["enabled"]] == ["embedding"]


@pytest.mark.parametrize(("path", "error"), [("/nothing", PeerFailed), ("/broken", PeerFailed)])
async def test_an_address_that_fails_is_told_of(address: str, path: str, error: type[AppError]) -> None:
    with pytest.raises(error):
        await read_catalog(address + path, OUTGOING)


async def test_an_address_where_nobody_is_is_told_of() -> None:
    with pytest.raises(Unavailable):
        await read_catalog("http://127.0.0.1:9/catalog", OUTGOING)


async def test_an_address_in_a_network_that_is_not_named_is_refused(address: str) -> None:
    with pytest.raises(BadRequest, match="https"):
        await read_catalog(f"{address}/list", Outgoing())
    with pytest.raises(BadRequest, match="private"):
        await read_catalog(f"{address}/list", Outgoing(["10.0.0.0/8"]))


async def test_two_at_once_do_no_harm(database: Database, tmp_path: Path) -> None:
    source = written(tmp_path, provider("one", *(f"one/{number}" for number in range(600))))
    reports = await asyncio.gather(*(sync_from(database, OUTGOING, source) for _ in range(3)))
    assert sorted(report.models_added for report in reports) == [0, 0, 600]


async def test_the_command_checks_a_file_and_names_a_mistake(settings: Settings, tmp_path: Path) -> None:
    good = await budapp(settings, "catalog", "check")
    assert (good.status, good.stdout) == (0, "Providers: 22, models: 64\n")
    path = tmp_path / "broken.json"
    path.write_text("[]")
    bad = await budapp(settings, "catalog", "check", "--source", str(path))
    assert bad.status != 0
    assert "The catalog contains no models" in bad.stderr


async def test_the_command_syncs_and_prints_nothing_but_what_has_changed(
    settings: Settings, database: Database
) -> None:
    runs = [await budapp(settings, "catalog", "sync", "--json") for _ in range(2)]
    assert set(json.loads(runs[1].stdout).values()) == {0}


async def test_the_command_syncs_from_the_source_that_it_is_given(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    source = written(tmp_path, provider("own", "own/model"))
    done = await budapp(settings, "catalog", "sync", "--source", source, "--json")
    assert json.loads(done.stdout)["models_added"] == 1
