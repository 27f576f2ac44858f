import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budapp.commons.database import Database
from budapp.project_ops.schemas import MEMBER_SCOPES
from tests.cast import Cast
from tests.projects.data import TAGS, create, members_of, messages

FULL = {"name": "  Atlas  ", "description": "Maps", "tags": TAGS, "icon": "😎"}


async def test_the_answer_holds_the_project_and_its_creator(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.post("/projects/", json=FULL, headers=cast.admin.headers)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["object"], body["success"]) == ("project.create", True)
    project = body["project"]
    assert project.items() >= {"name": "Atlas", "description": "Maps", "tags": TAGS, "icon": "😎"}.items()
    assert project["project_type"] == "admin_app"
    assert project["created_by"] == str(cast.admin.id)
    assert project["created_user"] == {
        "id": str(cast.admin.id),
        "name": "admin",
        "email": cast.admin.email,
        "color": "#E57333",
        "role": "super_admin",
    }
    assert project["created_at"].endswith("Z")
    assert project["modified_at"].endswith("Z")


async def test_the_creator_becomes_a_member_with_every_scope(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    assert await members_of(database, project["id"]) == {cast.manager.id: list(MEMBER_SCOPES)}


async def test_a_client_always_makes_a_client_app_and_is_told(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.client, project_type="admin_app")
    assert project["project_type"] == "client_app"
    [(row, payload)] = await messages(database)
    assert row.aggregate == f"project:{project['id']}"
    assert payload["subscriber_ids"] == [str(cast.client.id)]
    assert payload["payload"]["type"] == "project_creation"


async def test_an_admin_may_make_either_type(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    assert (await create(client, cast.admin, project_type="client_app"))["project_type"] == "client_app"
    assert (await create(client, cast.admin, project_type="admin_app"))["project_type"] == "admin_app"


async def test_a_name_is_taken_whatever_its_case(client: httpx.AsyncClient, cast: Cast) -> None:
    await create(client, cast.admin, name="Atlas")
    answer = await client.post("/projects/", json={"name": "aTLAS "}, headers=cast.manager.headers)
    assert answer.status_code == 409
    assert answer.json()["param"] == "name"


async def test_a_name_is_free_in_another_tenant_and_for_another_type(client: httpx.AsyncClient, cast: Cast) -> None:
    await create(client, cast.admin)
    await create(client, cast.other_admin)
    await create(client, cast.admin, project_type="client_app")
    await create(client, cast.client)
    again = await client.post("/projects/", json={"name": "ATLAS"}, headers=cast.client.headers)
    assert again.status_code == 409


async def test_the_name_of_a_deleted_project_is_free(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin)
    await client.delete(f"/projects/{project['id']}", headers=cast.admin.headers)
    assert (await create(client, cast.admin))["id"] != project["id"]


async def test_of_parallel_creates_with_one_name_one_succeeds(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    names = ["Atlas", "atlas", "ATLAS", "aTlas"]
    tries = [client.post("/projects/", json={"name": name}, headers=cast.admin.headers) for name in names]
    answers = await asyncio.gather(*tries)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    listed = await client.get("/projects/", headers=cast.admin.headers)
    assert listed.json()["total_record"] == 1


async def test_the_same_idempotency_key_makes_one_project(client: httpx.AsyncClient, cast: Cast) -> None:
    headers = {**cast.admin.headers, "Idempotency-Key": "once"}
    first, second = [await client.post("/projects/", json={"name": "Atlas"}, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()


async def test_null_stands_for_absent(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin, description=None, tags=None, icon=None)
    assert (project["description"], project["tags"], project["icon"]) == (None, [], None)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": None}, "name"),
        ({"description": "x" * 401}, "description"),
        ({"icon": " "}, "icon"),
        ({"icon": "https://example.com/a.png"}, "icon"),
        ({"tags": [{"name": "", "color": "#E57333"}]}, "tags.0.name"),
        ({"tags": [{"name": "a", "color": "red"}]}, "tags.0.color"),
        ({"tags": "a"}, "tags"),
        ({"project_type": "other"}, "project_type"),
    ],
)
async def test_what_is_out_of_bounds_is_422_and_named(
    client: httpx.AsyncClient, cast: Cast, wrong: dict[str, Any], param: str
) -> None:
    answer = await client.post("/projects/", json={"name": "Atlas", **wrong}, headers=cast.admin.headers)
    assert answer.status_code == 422
    assert answer.json()["param"] == param


@pytest.mark.parametrize("body", [None, [], "x", {}])
async def test_a_body_without_a_name_is_422(client: httpx.AsyncClient, cast: Cast, body: Any) -> None:
    assert (await client.post("/projects/", json=body, headers=cast.admin.headers)).status_code == 422


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(max_size=110),
    description=st.none() | st.text(max_size=410),
    icon=st.none() | st.text(max_size=9) | st.sampled_from(["😎", "icons/general/folder.svg"]),
)
async def test_any_text_is_kept_as_it_is_or_refused(
    client: httpx.AsyncClient, cast: Cast, name: str, description: str | None, icon: str | None
) -> None:
    sent = {"name": name, "description": description, "icon": icon, "project_type": "client_app"}
    answer = await client.post("/projects/", json=sent, headers=cast.admin.headers)
    assert answer.status_code in {200, 409, 422}
    if answer.status_code == 200:
        project = answer.json()["project"]
        kept = await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)
        assert kept.json()["project"] == project
        assert project["name"].strip() == name.strip()
