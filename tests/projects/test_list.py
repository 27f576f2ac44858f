from typing import Any

import httpx
import pytest

from budapp.commons.database import Database
from tests.cast import Cast, Person
from tests.projects.data import TAGS, add, add_user, create, credential_row, endpoint_row, join, project_row
from tests.statements import Statements


async def fetch(client: httpx.AsyncClient, person: Person, **query: Any) -> dict[str, Any]:
    answer = await client.get("/projects/", params=query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def names(client: httpx.AsyncClient, person: Person, **query: Any) -> list[str]:
    return [item["project"]["name"] for item in (await fetch(client, person, **query))["projects"]]


async def test_an_item_wraps_the_project_beside_real_counts(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin, tags=TAGS)
    gone = await add_user(database, cast.tenant_id, "gone", status="deleted")
    await join(database, project["id"], cast.developer, cast.invited, cast.tester, gone)
    endpoints = [endpoint_row(project["id"], cast.admin, status=s) for s in ("running", "failure", "deleted")]
    await add(database, *endpoints, credential_row(project["id"], cast.admin))
    body = await fetch(client, cast.admin)
    assert {name: body[name] for name in ("object", "page", "limit", "total_record", "total_pages", "success")} == {
        "object": "project.list",
        "page": 1,
        "limit": 10,
        "total_record": 1,
        "total_pages": 1,
        "success": True,
    }
    assert body["projects"] == [
        {
            "project": project,
            "users_count": 4,
            "endpoints_count": 2,
            "credentials_count": 1,
            "profile_colors": ["#E57333"] * 3,
        }
    ]


async def test_a_project_whose_members_are_all_gone_still_shows(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await add(database, project_row(cast.admin, "Lonely"))
    [item] = (await fetch(client, cast.admin))["projects"]
    assert (item["users_count"], item["profile_colors"]) == (0, [])


async def test_only_living_everyday_projects_of_the_tenant_show(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await add(
        database,
        project_row(cast.admin, "Kept"),
        project_row(cast.admin, "Deleted", status="deleted"),
        project_row(cast.admin, "Benchmark", benchmark=True),
        project_row(cast.other_admin, "Foreign"),
    )
    assert await names(client, cast.manager) == ["Kept"]


async def test_types_are_listed_apart_and_client_apps_only_to_their_members(
    client: httpx.AsyncClient, cast: Cast
) -> None:
    await create(client, cast.admin, name="Admin's")
    await create(client, cast.manager, name="Manager's app", project_type="client_app")
    await create(client, cast.client, name="Client's")
    assert await names(client, cast.manager) == ["Admin's"]
    assert await names(client, cast.manager, project_type="client_app") == ["Manager's app"]
    assert await names(client, cast.admin, project_type="client_app") == []
    assert await names(client, cast.client) == ["Client's"]
    assert await names(client, cast.client, project_type="admin_app") == ["Client's"]


async def test_a_developer_sees_what_they_take_part_in(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    mine, _other = [await create(client, cast.admin, name=name) for name in ("Mine", "Other")]
    await join(database, mine["id"], cast.developer)
    body = await fetch(client, cast.developer)
    assert [item["project"]["name"] for item in body["projects"]] == ["Mine"]
    assert body["total_record"] == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ATL", ["Atlas"]),
        ("rivers", ["Atlas"]),
        ("water", ["Brook"]),
        ("%", ["100%"]),
        ("_", []),
        ("\\", []),
        ("", ["100%", "Atlas", "Brook"]),
        ("nothing", []),
    ],
)
async def test_search_looks_into_names_descriptions_and_tags_literally(
    client: httpx.AsyncClient, cast: Cast, text: str, found: list[str]
) -> None:
    await create(client, cast.admin, name="Atlas", description="Maps of rivers")
    await create(client, cast.admin, name="Brook", tags=[{"name": "Waterways", "color": "#000000"}])
    await create(client, cast.admin, name="100%")
    assert sorted(await names(client, cast.admin, search=True, name=text)) == found


async def test_without_search_the_name_must_be_equal(client: httpx.AsyncClient, cast: Cast) -> None:
    await create(client, cast.admin, name="Atlas")
    await create(client, cast.admin, name="Atlas II")
    assert await names(client, cast.admin, name="Atlas") == ["Atlas"]
    assert await names(client, cast.admin, name="Atla") == []


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        (None, "cab"),
        ("null", "cab"),
        ("unknown", "cab"),
        ("created_at", "bac"),
        ("name", "abc"),
        ("-name", "cba"),
        ("name:desc", "cba"),
        ("-modified_at", "cab"),
    ],
)
async def test_order_by(client: httpx.AsyncClient, cast: Cast, order_by: str | None, found: str) -> None:
    for name in "bac":
        await create(client, cast.admin, name=name)
    query = {"order_by": order_by} if order_by else {}
    assert "".join(await names(client, cast.admin, **query)) == found


@pytest.mark.parametrize("order_by", ["-created_at", "name"])
async def test_pages_and_cursors_walk_over_all(
    client: httpx.AsyncClient, cast: Cast, database: Database, order_by: str
) -> None:
    await add(database, *(project_row(cast.admin, f"p{n:02}") for n in range(7)))
    whole = await names(client, cast.admin, order_by=order_by)
    paged = [n for p in (1, 2, 3, 4) for n in await names(client, cast.admin, order_by=order_by, limit=2, page=p)]
    body = await fetch(client, cast.admin, order_by=order_by, limit=2)
    walked = [item["project"]["name"] for item in body["projects"]]
    while body["next_cursor"]:
        body = await fetch(client, cast.admin, order_by=order_by, limit=2, cursor=body["next_cursor"])
        walked += [item["project"]["name"] for item in body["projects"]]
        assert (body["total_record"], body["total_pages"]) == (7, 4)
    assert paged == walked == whole
    assert len(whole) == 7


@pytest.mark.parametrize(
    "query",
    ["page=0", "limit=-1", "limit=10001", "page=x", "cursor=x", "project_type=x", "search=2", "name=%00&search=1"],
)
async def test_a_query_out_of_bounds_is_422(client: httpx.AsyncClient, cast: Cast, query: str) -> None:
    assert (await client.get(f"/projects/?{query}", headers=cast.admin.headers)).status_code == 422


@pytest.mark.parametrize("who", ["admin", "developer", "client"])
async def test_a_page_is_one_statement(
    client: httpx.AsyncClient, cast: Cast, database: Database, statements: Statements, who: str
) -> None:
    person = getattr(cast, who)
    kind = "client_app" if who == "client" else "admin_app"
    rows = [project_row(cast.manager, f"p{n}", project_type=kind) for n in range(15)]
    await add(database, *rows)
    for row in rows:
        await join(database, str(row.id), person, cast.tester)
    await fetch(client, person)
    statements.clear()
    assert len((await fetch(client, person))["projects"]) == 10
    assert len(statements) == 1
    await fetch(client, person, page=9)
    assert len(statements) == 3
