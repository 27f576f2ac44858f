from typing import Any

import httpx
import pytest

from budapp.commons.database import Database
from tests.cast import Cast, Person
from tests.projects.data import add, create, join, project_row
from tests.statements import Statements


def tags(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "color": "#E57333"} for name in names]


async def names(client: httpx.AsyncClient, person: Person, path: str = "", **query: Any) -> list[str]:
    answer = await client.get(f"/projects/tags{path}", params=query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return [tag["name"] for tag in answer.json()["tags"]]


@pytest.fixture
async def tagged(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    shared = await create(client, cast.admin, name="a", tags=tags("beta", "alpha"))
    await create(client, cast.admin, name="b", tags=tags("alpha", "Alps", "al%"))
    await create(client, cast.client, name="c", tags=tags("client's"))
    await create(client, cast.other_admin, name="d", tags=tags("foreign"))
    deleted = await create(client, cast.admin, name="e", tags=tags("deleted"))
    await client.delete(f"/projects/{deleted['id']}", headers=cast.admin.headers)
    await add(database, project_row(cast.admin, "f", benchmark=True, tags=tags("benchmark's")))
    await join(database, shared["id"], cast.developer)


async def test_each_tag_in_reach_shows_once(client: httpx.AsyncClient, cast: Cast, tagged: None) -> None:
    assert sorted(await names(client, cast.manager)) == ["Alps", "al%", "alpha", "beta"]
    assert await names(client, cast.developer) == ["alpha", "beta"]
    assert await names(client, cast.client) == ["client's"]
    assert await names(client, cast.other_admin) == ["foreign"]


async def test_the_envelope_is_that_of_a_list(client: httpx.AsyncClient, cast: Cast, tagged: None) -> None:
    body = (await client.get("/projects/tags?page=2&limit=1", headers=cast.developer.headers)).json()
    assert (body["object"], body["page"], body["limit"]) == ("project.tag.list", 2, 1)
    assert (body["total_record"], body["total_pages"]) == (2, 2)
    assert body["tags"] == tags("beta")


async def test_a_cursor_goes_on(client: httpx.AsyncClient, cast: Cast, tagged: None) -> None:
    whole = await names(client, cast.manager)
    first = (await client.get("/projects/tags?limit=1", headers=cast.manager.headers)).json()
    rest = await names(client, cast.manager, cursor=first["next_cursor"])
    assert [first["tags"][0]["name"], *rest] == whole


@pytest.mark.parametrize(
    ("term", "found"), [("AL", ["Alps", "al%", "alpha"]), ("al%", ["al%"]), ("eta", []), ("foreign", [])]
)
async def test_search_takes_the_beginning_literally(
    client: httpx.AsyncClient, cast: Cast, tagged: None, term: str, found: list[str]
) -> None:
    assert sorted(await names(client, cast.manager, "/search", search_term=term)) == found


async def test_search_without_a_term_is_422(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.get("/projects/tags/search", headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (422, "search_term")


async def test_tags_are_one_statement(
    client: httpx.AsyncClient, cast: Cast, tagged: None, statements: Statements
) -> None:
    await names(client, cast.manager)
    statements.clear()
    await names(client, cast.manager)
    await names(client, cast.manager, "/search", search_term="a")
    assert len(statements) == 2
