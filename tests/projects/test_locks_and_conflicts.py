import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from budapp.commons.access import Authenticator
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import Conflict
from budapp.commons.integrity import conflict_on
from budapp.project_ops.crud import ProjectCrud
from budapp.project_ops.models import Project
from tests.cast import Cast
from tests.projects.data import add, project_row


async def test_a_locked_row_is_as_others_have_left_it(database: Database, cast: Cast, app: FastAPI) -> None:
    row = project_row(cast.admin, "before")
    await add(database, row)
    caller = await components_of(app)[Authenticator].authenticate(cast.admin.tokens["access_token"])
    async with database.write() as session:
        crud = ProjectCrud(session, caller)
        seen = await crud.get(row.id)
        assert seen.name == "before"
        async with database.write() as other:
            await other.execute(update(Project).values(name="after"))
        locked = await crud.get(row.id, for_update=True)
        assert locked is seen
        assert locked.name == "after"


async def make_twice(database: Database, cast: Cast, constraint: str) -> None:
    async with database.write() as session:
        session.add_all(project_row(cast.admin, "same") for _ in range(2))
        with conflict_on(constraint, Conflict("taken")):
            await session.flush()


async def test_only_the_named_constraint_becomes_the_conflict(database: Database, cast: Cast) -> None:
    with pytest.raises(Conflict):
        await make_twice(database, cast, "uq_project_admin_app_name")
    with pytest.raises(IntegrityError):
        await make_twice(database, cast, "uq_project_client_app_name")
