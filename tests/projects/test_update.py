import asyncio
from typing import Any

import httpx
import pytest

from tests.cast import Cast
from tests.projects.data import TAGS, create

WHOLE = {"name": "Atlas", "description": "Maps", "tags": TAGS, "icon": "😎"}


async def patch(client: httpx.AsyncClient, cast: Cast, project_id: str, **changes: Any) -> httpx.Response:
    return await client.patch(f"/projects/{project_id}", json=changes, headers=cast.admin.headers)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "Globe"},
        {"name": "ATLAS"},
        {"description": "Charts"},
        {"tags": []},
        {"tags": [{"name": "new", "color": "#ABCDEF"}]},
        {"icon": "icons/general/folder.svg"},
        {"name": "Globe", "description": "Charts", "tags": [], "icon": "🌍"},
    ],
)
async def test_only_what_is_sent_changes(client: httpx.AsyncClient, cast: Cast, changes: dict[str, Any]) -> None:
    project = await create(client, cast.admin, **WHOLE)
    answer = await patch(client, cast, project["id"], **changes)
    assert answer.status_code == 200
    assert answer.json()["object"] == "project.edit"
    changed = answer.json()["project"]
    assert changed == {**project, **changes, "modified_at": changed["modified_at"]}
    kept = await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)
    assert kept.json()["project"] == changed
    if changes:
        assert changed["modified_at"] > project["modified_at"]


@pytest.mark.parametrize(
    ("sent", "field", "kept"),
    [
        ({"description": None}, "description", None),
        ({"description": ""}, "description", ""),
        ({"icon": None}, "icon", None),
        ({"tags": None}, "tags", []),
        ({"name": None}, "name", "Atlas"),
    ],
)
async def test_null_clears_what_may_be_empty(
    client: httpx.AsyncClient, cast: Cast, sent: dict[str, Any], field: str, kept: Any
) -> None:
    project = await create(client, cast.admin, **WHOLE)
    assert (await patch(client, cast, project["id"], **sent)).json()["project"][field] == kept


async def test_the_type_can_be_repeated_but_not_changed(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin)
    assert (await patch(client, cast, project["id"], project_type="admin_app")).status_code == 200
    answer = await patch(client, cast, project["id"], project_type="client_app", name="Globe")
    assert (answer.status_code, answer.json()["param"]) == (400, "project_type")
    kept = await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)
    assert kept.json()["project"]["name"] == "Atlas"


async def test_fields_that_are_not_editable_are_not_read(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin)
    sent = {"status": "deleted", "benchmark": True, "created_by": str(cast.client.id), "id": str(cast.client.id)}
    assert (await patch(client, cast, project["id"], **sent)).json()["project"] == project


async def test_a_name_that_is_taken_is_409_and_changes_nothing(client: httpx.AsyncClient, cast: Cast) -> None:
    await create(client, cast.admin, name="Globe")
    project = await create(client, cast.admin, name="Atlas")
    answer = await patch(client, cast, project["id"], name="globe", description="lost")
    assert (answer.status_code, answer.json()["param"]) == (409, "name")
    kept = await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)
    assert kept.json()["project"] == project


async def test_of_parallel_renames_to_one_name_one_succeeds(client: httpx.AsyncClient, cast: Cast) -> None:
    projects = [await create(client, cast.admin, name=name) for name in ("a", "b", "c")]
    answers = await asyncio.gather(*(patch(client, cast, project["id"], name="Atlas") for project in projects))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"description": "x" * 401},
        {"icon": ""},
        {"icon": "https://example.com/a.png"},
        {"tags": [{"name": "a"}]},
    ],
)
async def test_what_is_out_of_bounds_is_422(client: httpx.AsyncClient, cast: Cast, wrong: dict[str, Any]) -> None:
    project = await create(client, cast.admin)
    assert (await patch(client, cast, project["id"], **wrong)).status_code == 422
