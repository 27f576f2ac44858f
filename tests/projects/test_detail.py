import httpx

from budapp.commons.database import Database
from tests.cast import Cast
from tests.projects.data import TAGS, add, create, credential_row, endpoint_row, join
from tests.statements import Statements


async def test_the_answer_holds_the_project_its_creator_and_counts(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager, tags=TAGS, description="Maps", icon="icons/general/folder.svg")
    await join(database, project["id"], cast.developer)
    await add(
        database, endpoint_row(project["id"], cast.admin), endpoint_row(project["id"], cast.admin, status="deleted")
    )
    await add(database, *(credential_row(project["id"], cast.admin, name) for name in "ab"))
    body = (await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)).json()
    assert body["object"] == "project.retrieve"
    assert body["project"] == project
    assert (body["users_count"], body["endpoints_count"], body["credentials_count"]) == (2, 1, 2)


async def test_a_project_is_one_statement(
    client: httpx.AsyncClient, cast: Cast, database: Database, statements: Statements
) -> None:
    project = await create(client, cast.admin)
    statements.clear()
    assert (await client.get(f"/projects/{project['id']}", headers=cast.admin.headers)).status_code == 200
    assert len(statements) == 1
