"""Prepared statements: shared by all who hold the same rights, and bound to each caller when they are sent."""

from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import Select, bindparam

from budapp.commons.access import Authenticator
from budapp.commons.crud import Crud, prepared
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.paging import equal, matching
from budapp.user_ops.models import User
from budapp.user_ops.schemas import UserQuery
from tests.cast import Cast, Person
from tests.statements import Statements


class People(Crud[User]):
    model = User

    @prepared
    def others(self) -> Select[Any]:
        return self.visible(User.id, User.tenant_id).where(User.id != self.caller.user_id)

    @prepared
    def named(self) -> Select[Any]:
        return self.visible(User.id).where(User.name == bindparam("name"))

    @prepared
    def mine(self) -> Select[Any]:
        return self.visible(User.id).where(User.auth_id == self.caller.auth_id)

    @prepared
    def found(self, query: UserQuery) -> Select[Any]:
        conditions = (*equal(query, status=User.status), *matching(query, name=User.name, email=User.email))
        return self.visible(User.id, User.name, User.created_at).where(*conditions)

    @prepared
    def on_page(self, query: UserQuery) -> Select[Any]:
        return self.visible(User.id).limit(query.limit)


async def _people(app: FastAPI, person: Person) -> People:
    session = components_of(app)[Database].read_session()
    return People(session, await components_of(app)[Authenticator].authenticate(person.tokens["access_token"]))


async def test_callers_with_the_same_rights_share_a_statement_and_see_their_own_rows(
    app: FastAPI, database: Database, cast: Cast
) -> None:
    seen: dict[UUID, set[UUID]] = {}
    statements = []
    for person in (cast.developer, cast.other_developer):
        bound = (await _people(app, person)).others()
        statements.append(bound.prepared)
        async with database.read() as session:
            rows = await bound.rows(session)
        assert person.id not in {row.id for row in rows}
        seen[person.tenant_id] = {row.tenant_id for row in rows}
    assert statements[0] is statements[1]
    assert seen == {tenant_id: {tenant_id} for tenant_id in (cast.tenant_id, cast.other_tenant_id)}


async def test_callers_with_other_rights_have_a_statement_of_their_own(app: FastAPI, cast: Cast) -> None:
    admin, tester = [(await _people(app, person)).others() for person in (cast.admin, cast.tester)]
    assert admin.prepared is not tester.prepared


async def test_what_names_one_caller_can_not_be_prepared(app: FastAPI, cast: Cast) -> None:
    people = await _people(app, cast.admin)
    with pytest.raises(AttributeError, match="auth_id"):
        people.mine()


async def test_queries_that_give_the_same_filters_share_a_statement_and_find_their_own_rows(
    app: FastAPI, database: Database, cast: Cast
) -> None:
    people = await _people(app, cast.admin)
    queries = [UserQuery(name=name) for name in ("tester", "developer")]
    found = [people.found(query) for query in queries]
    assert found[0].prepared is found[1].prepared
    async with database.read() as session:
        rows = [await bound.rows(session) for bound in found]
    assert [[row.id for row in those] for those in rows] == [[cast.tester.id], [cast.developer.id]]
    others = (UserQuery(name="tester", search=True), UserQuery(email="tester"), UserQuery(name="x", email="x"))
    assert all(people.found(other).prepared is not found[0].prepared for other in others)


async def test_a_prepared_search_looks_for_alternatives_and_takes_signs_as_they_are(app: FastAPI, cast: Cast) -> None:
    people = await _people(app, cast.admin)

    async def names(**given: Any) -> set[str]:
        query = UserQuery(search=True, **given)
        page = await people.page(query, people.found(query), {"id": User.id, "created_at": User.created_at})
        return {row.name for row in page.rows}

    assert "tester" in await names(name="no such name", email="TESTER")
    assert await names(name="t%r") == await names(email="t_st") == set()


async def test_a_statement_of_a_list_knows_nothing_of_its_page(app: FastAPI, cast: Cast) -> None:
    people = await _people(app, cast.admin)
    with pytest.raises(AttributeError, match="limit"):
        people.on_page(UserQuery(limit=1))


async def test_a_parameter_left_out_is_an_error_and_no_null(app: FastAPI, database: Database, cast: Cast) -> None:
    bound = (await _people(app, cast.admin)).named()
    async with database.read() as session:
        assert [row.id for row in await bound.rows(session, name="tester")] == [cast.tester.id]
        with pytest.raises(KeyError):
            await bound.rows(session)


async def test_a_prepared_statement_is_one_statement_and_sees_what_its_unit_of_work_wrote(
    app: FastAPI, database: Database, cast: Cast, statements: Statements
) -> None:
    bound = (await _people(app, cast.admin)).named()
    async with database.write() as session:
        user = await session.get(User, cast.tester.id)
        assert user is not None
        user.name = "renamed"
        statements.clear()
        rows = await bound.rows(session, name="renamed")
    assert [row.id for row in rows] == [cast.tester.id]
    assert len([statement for statement in statements if "audit_trail" not in statement]) == 2
