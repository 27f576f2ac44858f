"""What other domains ask of projects."""

from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.access import Authenticator, Caller
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import Forbidden, NotFound
from budapp.project_ops.crud import Lock
from budapp.project_ops.schemas import MEMBER_SCOPES
from budapp.project_ops.services import project_access, require_project
from tests.cast import Cast, Person
from tests.projects.data import MISSING, add, create, join, project_row
from tests.statements import Statements


async def caller_of(app: FastAPI, person: Person) -> Caller:
    caller: Caller = await components_of(app)[Authenticator].authenticate(person.tokens["access_token"])
    return caller


async def access(app: FastAPI, database: Database, person: Person) -> dict[str, set[str]]:
    caller = await caller_of(app, person)
    async with database.read() as session:
        return {str(item.project_id): set(item.scopes) for item in await project_access(session, caller)}


async def test_access_joins_what_membership_and_role_allow(
    client: httpx.AsyncClient, cast: Cast, database: Database, app: FastAPI
) -> None:
    shared, other = [await create(client, cast.admin, name=name) for name in "ab"]
    clients = await create(client, cast.client)
    await add(database, project_row(cast.admin, "Benchmark", benchmark=True))
    await join(database, shared["id"], cast.developer, scopes=("endpoint:manage",))
    await join(database, shared["id"], cast.tester, scopes=("project:manage",))
    everything = set(MEMBER_SCOPES)
    assert await access(app, database, cast.manager) == {shared["id"]: everything, other["id"]: everything}
    assert await access(app, database, cast.developer) == {
        shared["id"]: {"project:view", "endpoint:view", "endpoint:manage"}
    }
    assert await access(app, database, cast.tester) == {shared["id"]: {"project:view", "project:manage"}}
    assert await access(app, database, cast.client) == {clients["id"]: everything}
    assert await access(app, database, cast.other_admin) == {}


async def test_access_is_one_statement(
    client: httpx.AsyncClient, cast: Cast, database: Database, app: FastAPI, statements: Statements
) -> None:
    for name in "abc":
        await create(client, cast.admin, name=name)
    await caller_of(app, cast.admin)
    statements.clear()
    assert len(await access(app, database, cast.admin)) == 3
    assert len(statements) == 1


@pytest.mark.parametrize("lock", [None, "share", "update"])
async def test_require_project_tells_out_of_reach_from_not_allowed(
    client: httpx.AsyncClient, cast: Cast, database: Database, app: FastAPI, lock: Lock | None
) -> None:
    project = await create(client, cast.admin)
    foreign = await create(client, cast.other_admin)
    await join(database, project["id"], cast.developer, scopes=("endpoint:view",))
    caller = await caller_of(app, cast.developer)
    async with database.write() as session:
        found = await require_project(session, caller, UUID(project["id"]), "endpoint:view", lock=lock)
        assert str(found.id) == project["id"]
        with pytest.raises(Forbidden):
            await require_project(session, caller, UUID(project["id"]), "endpoint:manage", lock=lock)
        for project_id in (UUID(foreign["id"]), MISSING):
            with pytest.raises(NotFound):
                await require_project(session, caller, project_id, "endpoint:view", lock=lock)
