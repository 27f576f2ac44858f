from typing import Any

import httpx
import pytest

from budapp.commons.database import Database
from budapp.project_ops.schemas import MEMBER_SCOPES
from tests.cast import Cast
from tests.projects.data import add_user, create, join
from tests.statements import Statements


async def fetch(client: httpx.AsyncClient, cast: Cast, id: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"/projects/{id}/users", params=query, headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def names(client: httpx.AsyncClient, cast: Cast, id: str, **query: Any) -> list[str]:
    return [user["name"] for user in (await fetch(client, cast, id, **query))["users"]]


async def test_a_member_shows_with_role_and_permissions(client: httpx.AsyncClient, cast: Cast) -> None:
    project = await create(client, cast.admin)
    body = await fetch(client, cast, project["id"])
    assert (body["object"], body["total_record"]) == ("project.list_users", 1)
    assert body["users"] == [
        {
            "id": str(cast.admin.id),
            "name": "admin",
            "email": cast.admin.email,
            "color": "#E57333",
            "role": "super_admin",
            "status": "active",
            "company": None,
            "purpose": None,
            "user_type": "admin",
            "custom_role": None,
            "permissions": [{"name": scope, "has_permission": True} for scope in MEMBER_SCOPES],
            "project_role": "owner",
        }
    ]


async def test_deleted_users_are_not_members_and_others_are_participants(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    gone = await add_user(database, cast.tenant_id, "gone", status="deleted")
    await join(database, project["id"], cast.developer, cast.invited, gone)
    body = await fetch(client, cast, project["id"], order_by="name")
    assert {user["name"]: user["project_role"] for user in body["users"]} == {
        "admin": "owner",
        "developer": "participant",
        "invited": "participant",
    }
    assert body["total_record"] == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": True, "name": "DEV"}, ["developer"]),
        ({"search": True, "email": "@EXAMPLE"}, ["admin", "developer", "tester"]),
        ({"search": True, "name": "DEV", "email": "test"}, ["developer", "tester"]),
        ({"search": True, "name": "DEV", "email": "test", "role": "tester"}, ["tester"]),
        ({"name": "developer", "email": "tester@example.com"}, []),
        ({"search": True, "name": "%"}, []),
        ({"name": "developer"}, ["developer"]),
        ({"name": "dev"}, []),
        ({"email": "tester@example.com"}, ["tester"]),
        ({"role": "tester"}, ["tester"]),
        ({"role": "devops"}, []),
        ({"page": 2, "limit": 2}, ["tester"]),
    ],
)
async def test_filters_hold_together_but_texts_that_are_searched_are_alternatives(
    client: httpx.AsyncClient, cast: Cast, database: Database, query: dict[str, Any], found: list[str]
) -> None:
    project = await create(client, cast.admin)
    await join(database, project["id"], cast.developer, cast.tester)
    assert await names(client, cast, project["id"], order_by="name", **query) == found


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        ("project_role,name", ["admin", "developer", "tester"]),
        ("-project_role,-name", ["tester", "developer", "admin"]),
        ("role", ["developer", "admin", "tester"]),
        ("-email", ["tester", "developer", "admin"]),
    ],
)
async def test_order_by_and_cursor(
    client: httpx.AsyncClient, cast: Cast, database: Database, order_by: str, found: list[str]
) -> None:
    project = await create(client, cast.admin)
    await join(database, project["id"], cast.developer, cast.tester)
    assert await names(client, cast, project["id"], order_by=order_by) == found
    body = await fetch(client, cast, project["id"], order_by=order_by, limit=1)
    rest = await names(client, cast, project["id"], order_by=order_by, cursor=body["next_cursor"])
    assert [body["users"][0]["name"], *rest] == found


async def test_members_are_two_statements(
    client: httpx.AsyncClient, cast: Cast, database: Database, statements: Statements
) -> None:
    project = await create(client, cast.admin)
    await join(database, project["id"], cast.developer, cast.tester, cast.manager, cast.invited)
    statements.clear()
    assert len((await fetch(client, cast, project["id"]))["users"]) == 5
    assert len(statements) == 2


@pytest.mark.parametrize("query", ["role=king", "limit=-1", "cursor=x"])
async def test_a_query_out_of_bounds_is_422(client: httpx.AsyncClient, cast: Cast, query: str) -> None:
    project = await create(client, cast.admin)
    answer = await client.get(f"/projects/{project['id']}/users?{query}", headers=cast.admin.headers)
    assert answer.status_code == 422
