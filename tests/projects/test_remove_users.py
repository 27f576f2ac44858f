import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from budapp.commons.database import Database
from tests.cast import Cast
from tests.projects.data import MISSING, add, add_user, body_of, create, credential_row, join, keys_of, members_of


async def remove(client: httpx.AsyncClient, cast: Cast, id: str, *user_ids: UUID, query: str = "") -> httpx.Response:
    body: dict[str, Any] = {"user_ids": [str(user_id) for user_id in user_ids]}
    return await client.post(f"/projects/{id}/remove-users{query}", json=body, headers=cast.manager.headers)


async def test_members_leave_and_lose_their_reach(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.admin)
    await join(database, project["id"], cast.developer, cast.tester)
    answer = await remove(client, cast, project["id"], cast.developer.id, cast.admin.id, cast.developer.id)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert list(await members_of(database, project["id"])) == [cast.tester.id]
    gone = await client.get(f"/projects/{project['id']}", headers=cast.developer.headers)
    assert gone.status_code == 404


@pytest.mark.parametrize("stranger", ["missing", "foreign", "not a member"])
async def test_one_who_is_no_member_refuses_all(
    client: httpx.AsyncClient, cast: Cast, database: Database, stranger: str
) -> None:
    project = await create(client, cast.admin)
    await join(database, project["id"], cast.developer)
    ids = {"missing": MISSING, "foreign": cast.other_admin.id, "not a member": cast.tester.id}
    answer = await remove(client, cast, project["id"], cast.developer.id, ids[stranger])
    assert answer.status_code == 404
    assert body_of(answer) == body_of(await remove(client, cast, project["id"], MISSING))
    assert cast.developer.id in await members_of(database, project["id"])


async def test_somebody_must_remain(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.admin)
    gone = await add_user(database, cast.tenant_id, "gone", status="deleted")
    await join(database, project["id"], cast.developer, gone)
    answer = await remove(client, cast, project["id"], cast.developer.id, cast.admin.id)
    assert answer.status_code == 400
    assert len(await members_of(database, project["id"])) == 3


async def test_of_parallel_removals_of_the_last_two_one_is_refused(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for name in "abc":
        project = await create(client, cast.admin, name=name)
        await join(database, project["id"], cast.developer)
        answers = await asyncio.gather(
            *(remove(client, cast, project["id"], user_id) for user_id in (cast.admin.id, cast.developer.id))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400]
        assert len(await members_of(database, project["id"])) == 1


@pytest.mark.parametrize(
    ("query", "status", "left"),
    [
        ("", 200, ["other's"]),
        ("?remove_credential=true", 200, ["other's"]),
        ("?remove_credential=false", 400, ["mine", "other's"]),
    ],
)
async def test_their_keys_in_the_project_go_with_them_unless_that_is_refused(
    client: httpx.AsyncClient, cast: Cast, database: Database, query: str, status: int, left: list[str]
) -> None:
    project, elsewhere = [await create(client, cast.admin, name=name) for name in "ab"]
    await join(database, project["id"], cast.developer)
    await add(
        database,
        credential_row(project["id"], cast.developer, "mine"),
        credential_row(project["id"], cast.admin, "other's"),
        credential_row(elsewhere["id"], cast.developer, "elsewhere"),
    )
    answer = await remove(client, cast, project["id"], cast.developer.id, query=query)
    assert answer.status_code == status
    assert await keys_of(database, project["id"]) == left
    assert await keys_of(database, elsewhere["id"]) == ["elsewhere"]
    assert (cast.developer.id in await members_of(database, project["id"])) == (status == 400)


@pytest.mark.parametrize("body", [{}, {"user_ids": []}, {"user_ids": ["1"]}, {"user_ids": None}])
async def test_a_malformed_or_empty_list_is_422(client: httpx.AsyncClient, cast: Cast, body: dict[str, Any]) -> None:
    project = await create(client, cast.admin)
    answer = await client.post(f"/projects/{project['id']}/remove-users", json=body, headers=cast.admin.headers)
    assert answer.status_code == 422
