"""Changing and deleting models, and what becomes of their licenses and files."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.endpoint_ops.models import Endpoint
from budapp.integrations.storage import Storage
from budapp.model_ops import license_files
from budapp.model_ops.license_files import MAX_BYTES, MAX_WORDS, LicenseFiles
from budapp.model_ops.models import License, Model
from budapp.model_ops.storage_size import measure_models
from tests.cast import Cast, Person
from tests.models.conftest import MakeModel, marks
from tests.peers.conftest import StandIn
from tests.projects.data import create, messages
from tests.waiting import until

Json = dict[str, Any]
TEXT = ("MIT.txt", b"Permission is hereby granted", "text/plain")


@pytest.fixture
async def model(make_model: MakeModel, app: FastAPI) -> Model:
    await components_of(app)[Storage].ensure_bucket(components_of(app)[Settings].minio_model_bucket)
    return await make_model("Tiny", github_url="https://github.com/acme/tiny")


async def edit(
    client: httpx.AsyncClient, person: Person, model_id: UUID, status: int = 200, files: Any = None, **fields: str
) -> Json:
    parts = {name: (None, value) for name, value in fields.items()} | (files or {})
    answer = await client.patch(f"/models/{model_id}", files=parts, headers=person.headers)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_what_is_said_is_changed_and_the_rest_stays(client: httpx.AsyncClient, cast: Cast, model: Model) -> None:
    tags = json.dumps(marks("small"))
    answer = await edit(
        client,
        cast.developer,
        model.id,
        name="Tiny 2",
        tags=tags,
        tasks=tags,
        description=" Talks ",
        icon="🐁",
        website_url="https://tiny.example.com",
    )
    found = answer["model"]
    assert (answer["object"], found["name"], found["description"]) == ("model.edit", "Tiny 2", "Talks")
    assert (found["tags"], found["tasks"], found["icon"]) == (marks("small"), marks("small"), "🐁")
    assert (found["github_url"], found["website_url"]) == ("https://github.com/acme/tiny", "https://tiny.example.com")


async def test_a_blank_address_is_taken_away(client: httpx.AsyncClient, cast: Cast, model: Model) -> None:
    found = (await edit(client, cast.developer, model.id, github_url="", description=""))["model"]
    assert (found["github_url"], found["description"], found["name"]) == (None, None, "Tiny")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"tags": "small"}, "tags"),
        ({"tags": '[{"name": "small", "color": "red"}]'}, "tags.0.color"),
        ({"tasks": '{"name": "small"}'}, "tasks"),
        ({"github_url": "javascript:alert(1)"}, "github_url"),
        ({"website_url": "https://"}, "website_url"),
        ({"paper_urls": "https://arxiv.org/1, ftp://x"}, "paper_urls.1"),
        ({"license_url": "LICENSE"}, "license_url"),
        ({"icon": "nothing"}, "icon"),
        ({"remove_license": "perhaps"}, "remove_license"),
    ],
)
async def test_what_cannot_be_is_422_and_names_the_field(
    client: httpx.AsyncClient, cast: Cast, model: Model, fields: dict[str, str], param: str
) -> None:
    assert (await edit(client, cast.developer, model.id, 422, **fields))["param"] == param


async def test_an_edit_that_says_nothing_is_422(client: httpx.AsyncClient, cast: Cast, model: Model) -> None:
    await edit(client, cast.developer, model.id, 422, unknown="x")
    answer = await client.patch(f"/models/{model.id}", json={"name": "Other"}, headers=cast.developer.headers)
    assert answer.status_code == 422


async def test_a_license_is_one_thing(client: httpx.AsyncClient, cast: Cast, model: Model) -> None:
    await edit(
        client, cast.developer, model.id, 422, files={"license_file": TEXT}, license_url="https://example.com/license"
    )


async def test_a_name_that_another_model_has_is_409(
    client: httpx.AsyncClient, cast: Cast, model: Model, make_model: MakeModel
) -> None:
    await make_model("Other")
    assert (await edit(client, cast.developer, model.id, 409, name="OTHER"))["param"] == "name"
    await make_model("Foreign", cast.other_admin)
    await edit(client, cast.developer, model.id, name="Foreign")


async def test_the_icon_of_a_hub_or_a_cloud_stays(client: httpx.AsyncClient, cast: Cast, make_model: MakeModel) -> None:
    for kind in ("hugging_face", "cloud_model"):
        found = await make_model(kind, provider_type=kind)
        assert (await edit(client, cast.developer, found.id, 400, icon="🐁"))["param"] == "icon"


async def test_papers_are_replaced_as_a_set(client: httpx.AsyncClient, cast: Cast, model: Model) -> None:
    one, two, three = (f"https://arxiv.org/{number}" for number in (1, 2, 3))
    first = (await edit(client, cast.developer, model.id, paper_urls=f"{one}, {two},{one}"))["model"]["paper_published"]
    assert [(paper["url"], paper["title"]) for paper in first] == [
        (one, "Untitled Research Paper"),
        (two, "Untitled Research Paper"),
    ]
    second = (await edit(client, cast.developer, model.id, paper_urls=f"{two},{three}"))["model"]["paper_published"]
    assert [paper["url"] for paper in second] == [two, three]
    assert second[0]["id"] == first[1]["id"]
    assert (await edit(client, cast.developer, model.id, name="Still"))["model"]["paper_published"] == second
    assert (await edit(client, cast.developer, model.id, paper_urls=""))["model"]["paper_published"] == []


async def test_people_without_the_right_and_strangers_change_nothing(
    client: httpx.AsyncClient, cast: Cast, model: Model
) -> None:
    await edit(client, cast.tester, model.id, 403, name="Mine")
    await edit(client, cast.other_admin, model.id, 404, name="Mine")
    assert (await client.delete(f"/models/{model.id}", headers=cast.tester.headers)).status_code == 403
    assert (await client.delete(f"/models/{model.id}", headers=cast.other_admin.headers)).status_code == 404


async def test_a_license_file_is_kept_and_shown_by_a_link_that_ends(
    client: httpx.AsyncClient, cast: Cast, model: Model, app: FastAPI, budmodel: StandIn
) -> None:
    answer = await edit(client, cast.developer, model.id, files={"license_file": TEXT})
    shown = answer["model"]["model_licenses"]
    assert (shown["name"], shown["data_type"]) == ("MIT.txt", "minio")
    base = components_of(app)[Settings].callback_base
    assert shown["url"] == f"{base}/static/{shown['path']}"
    for address in (f"/static/{shown['path']}", shown["url"].removeprefix(base)):
        file = await client.get(address)
        assert (file.status_code, file.content) == (200, TEXT[1])
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in file.headers["content-security-policy"]
    token = shown["path"].split("/")[1]
    for path in (f"licenses/x{token}/MIT.txt", "licenses/1:AAAA/MIT.txt", f"licenses/{model.id}/MIT.txt"):
        assert (await client.get(f"/static/{path}")).status_code == 404
    files: LicenseFiles = components_of(app)[LicenseFiles]
    path = f"licenses/{model.id}/kept.txt"
    await files.storage.put(files.bucket, path, b"kept", "text/plain")
    assert (await client.get(f"/static/{files.link(path, 'x')}")).status_code == 200
    old = replace(files, link_lifetime=timedelta(seconds=-1))
    assert (await client.get(f"/static/{old.link(path, 'x')}")).status_code == 404


async def test_a_new_license_takes_the_place_of_the_one_that_goes(
    client: httpx.AsyncClient, cast: Cast, model: Model, budmodel: StandIn
) -> None:
    address = "https://example.com/license"
    answer = await edit(client, cast.developer, model.id, license_url=address, remove_license="true")
    first = answer["model"]["model_licenses"]
    assert (first["name"], first["url"], first["data_type"]) == ("LICENSE", address, "url")
    answer = await edit(client, cast.developer, model.id, files={"license_file": TEXT}, remove_license="true")
    second = answer["model"]["model_licenses"]
    assert (second["name"], second["data_type"]) == ("MIT.txt", "minio")


@pytest.mark.parametrize(
    ("file", "status"),
    [
        (("LICENSE.exe", b"MZ", "text/plain"), 415),
        (("LICENSE", b"text", "text/plain"), 415),
        (("LICENSE.pdf", b"<html>", "application/pdf"), 415),
        (("LICENSE.txt", b"\xff\xfe\x00", "text/plain"), 415),
        (("LICENSE.md", b"a\x00b", "text/plain"), 415),
        (("LICENSE.txt", b" \n", "text/plain"), 422),
        (("LICENSE.txt", b"x" * (MAX_BYTES + 1), "text/plain"), 413),
        (("LICENSE.rst", b"a " * (MAX_WORDS + 1), "text/plain"), 422),
    ],
)
async def test_a_file_that_is_no_license_is_refused(
    client: httpx.AsyncClient, cast: Cast, model: Model, file: tuple[str, bytes, str], status: int
) -> None:
    answer = await edit(client, cast.developer, model.id, status, files={"license_file": file})
    assert answer["param"] == "license_file"


async def objects(app: FastAPI, model_id: UUID) -> list[str]:
    found = await components_of(app)[Storage].list_objects(
        components_of(app)[Settings].minio_model_bucket, f"licenses/{model_id}/"
    )
    return [one.name for one in found]


async def test_a_path_in_the_files_name_goes_nowhere(
    client: httpx.AsyncClient, cast: Cast, model: Model, app: FastAPI, budmodel: StandIn
) -> None:
    sent = ("..\\..\\../../etc/passwd.txt", b"text", "text/plain")
    answer = await edit(client, cast.developer, model.id, files={"license_file": sent})
    assert answer["model"]["model_licenses"]["name"] == "passwd.txt"
    names = await objects(app, model.id)
    assert len(names) == 1
    assert names[0].startswith(f"licenses/{model.id}/")
    assert "passwd" not in names[0]


async def test_what_no_license_names_is_swept_away(
    client: httpx.AsyncClient,
    cast: Cast,
    model: Model,
    app: FastAPI,
    database: Database,
    monkeypatch: Any,
    budmodel: Any,
) -> None:
    files: LicenseFiles = components_of(app)[LicenseFiles]
    common = "licenses/common_licenses/mit.txt"
    await files.storage.put(files.bucket, common, b"MIT", "text/plain")
    await edit(client, cast.developer, model.id, files={"license_file": TEXT})
    await edit(client, cast.developer, model.id, files={"license_file": ("Other.md", b"Other", "text/plain")})
    assert len(await objects(app, model.id)) == 2
    await files.sweep(database)
    assert len(await objects(app, model.id)) == 2, "a new one may belong to a request under way"
    monkeypatch.setattr(license_files, "_UNNAMED_FOR", timedelta(seconds=-10))
    await files.sweep(database)
    async with database.read() as session:
        kept = await session.scalar(select(License.path))
    assert await objects(app, model.id) == [kept]
    await edit(client, cast.developer, model.id, remove_license="true")
    await files.sweep(database)
    assert await objects(app, model.id) == []
    assert await files.storage.get(files.bucket, common) == b"MIT"


async def test_deleting_takes_license_and_files_along(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, database: Database, budmodel: StandIn
) -> None:
    model = await make_model("Local", local_path="local_1")
    await edit(client, cast.developer, model.id, license_url="https://example.com/license")
    answer = await client.delete(f"/models/{model.id}", headers=cast.developer.headers)
    assert (answer.status_code, answer.json()["object"]) == (200, "model.delete")
    assert (await client.get(f"/models/{model.id}", headers=cast.developer.headers)).status_code == 404
    assert (await client.delete(f"/models/{model.id}", headers=cast.developer.headers)).status_code == 404
    async with database.read() as session:
        assert await session.scalar(select(License.id)) is None
    asked = [message.target for message, _ in await messages(database)]
    assert asked.count("budmodel") == 1
    await make_model("local", local_path="local_1")


async def test_files_that_another_model_has_stay(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, database: Database
) -> None:
    first, second = await make_model("One", local_path="same"), await make_model("Two", local_path="same")
    assert (await client.delete(f"/models/{first.id}", headers=cast.developer.headers)).status_code == 200
    assert [message.target for message, _ in await messages(database)] == []
    assert (await client.delete(f"/models/{second.id}", headers=cast.developer.headers)).status_code == 200
    assert [message.target for message, _ in await messages(database)] == ["budmodel"]


async def test_a_deployed_model_is_not_deleted(
    client: httpx.AsyncClient, cast: Cast, model: Model, database: Database
) -> None:
    project = await create(client, cast.manager)
    endpoint = Endpoint(
        id=uuid7(),
        tenant_id=model.tenant_id,
        name="Chat",
        project_id=UUID(project["id"]),
        model_id=model.id,
        url="https://example.com",
        namespace="n",
        status="running",
        created_by=cast.manager.id,
    )
    async with database.write() as session:
        session.add(endpoint)
    answer = await client.delete(f"/models/{model.id}", headers=cast.developer.headers)
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "Cannot delete model because it has active endpoint.",
    )
    async with database.write() as session:
        (await session.get_one(Endpoint, endpoint.id)).status = "deleted"
    assert (await client.delete(f"/models/{model.id}", headers=cast.developer.headers)).status_code == 200


async def test_the_room_that_files_take_is_measured(
    client: httpx.AsyncClient, cast: Cast, make_model: MakeModel, database: Database, app: FastAPI, settings: Settings
) -> None:
    storage, bucket = components_of(app)[Storage], settings.minio_bucket
    await storage.ensure_bucket(bucket)
    folder = f"measured_{uuid7()}"
    await storage.put(bucket, f"{folder}/weights", b"x" * 3_000_000, "application/octet-stream")
    await storage.put(bucket, f"{folder}-more/weights", b"x" * 3_000_000, "application/octet-stream")
    model = await make_model("Measured", local_path=folder)
    await measure_models(database, storage, bucket)
    found = (await client.get(f"/models/{model.id}", headers=cast.developer.headers)).json()["model"]
    assert found["storage_size_gb"] == pytest.approx(3_000_000 / 1024**3, abs=1e-6)


async def test_budmodel_that_refuses_leaves_the_new_license_and_a_failed_workflow(
    client: httpx.AsyncClient, cast: Cast, model: Model, database: Database, budmodel: StandIn
) -> None:
    url = f"https://example.com/{uuid7()}"
    await budmodel.does_wrong(url, status=500)
    answer = await edit(client, cast.developer, model.id, license_url=url)
    assert answer["model"]["model_licenses"]["url"] == url

    async def has_failed() -> bool:
        return "license_faq_fetch_failed" in [body["payload"]["type"] for _, body in await messages(database)]

    await until(has_failed)
