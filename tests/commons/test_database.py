"""The unit of work: what happens around commit and rollback."""

import pytest
from sqlalchemy import Float, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from budapp.commons.database import Base, Callback, Database, after_commit, after_rollback, among, release
from budapp.commons.errors import Conflict, Unavailable
from budapp.tenant_ops.models import Tenant


def tenant(name: str) -> Tenant:
    return Tenant(name=name, realm_name=name, tenant_identifier=name)


class Hooks:
    """Notes which hooks ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def hook(self, name: str, error: Exception | None = None) -> Callback:
        async def run() -> None:
            self.ran.append(name)
            if error is not None:
                raise error

        return run


async def test_what_raises_leaves_nothing_and_runs_only_the_hooks_that_take_back(database: Database) -> None:
    hooks = Hooks()

    async def fail() -> None:
        async with database.write() as session:
            after_commit(session, hooks.hook("told"))
            after_rollback(session, hooks.hook("first"))
            after_rollback(session, hooks.hook("second", Unavailable()))
            after_rollback(session, hooks.hook("third", RuntimeError("a mistake of ours")))
            session.add(tenant("gone"))
            await session.flush()
            raise Conflict

    with pytest.raises(Conflict):
        await fail()
    assert hooks.ran == ["third", "second", "first"]
    async with database.read() as session:
        assert (await session.scalars(select(Tenant))).all() == []


async def test_a_commit_runs_only_the_hooks_that_wait_for_it(database: Database) -> None:
    hooks = Hooks()
    async with database.write() as session:
        after_commit(session, hooks.hook("told"))
        after_rollback(session, hooks.hook("taken back"))
        session.add(tenant("kept"))
    assert hooks.ran == ["told"]


async def test_a_read_session_can_not_write_whatever_it_sends(database: Database) -> None:
    async with database.read() as session:
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(text("delete from tenant"))


async def test_a_hook_that_fails_after_the_commit_keeps_back_neither_the_others_nor_the_answer(
    database: Database,
) -> None:
    hooks = Hooks()
    async with database.write() as session:
        after_commit(session, hooks.hook("first", RuntimeError("closed")))
        after_commit(session, hooks.hook("second"))
        session.add(tenant("kept"))
    assert hooks.ran == ["first", "second"]
    async with database.read() as session:
        assert (await session.scalars(select(Tenant.name))).all() == ["kept"]


def checked_out(database: Database) -> int:
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


async def test_release_gives_the_connection_back_and_what_was_read_stays_readable(database: Database) -> None:
    async with database.write() as session:
        session.add(tenant("read"))
    async with database.write() as session:
        found = (await session.scalars(select(Tenant))).one()
        before = checked_out(database)
        await release(session)
        assert checked_out(database) == before - 1
        assert found.name == "read"


async def test_release_keeps_what_was_written(database: Database) -> None:
    async with database.write() as session:
        session.add(tenant("written"))
        await session.flush()
        await release(session)
    async with database.write() as session:
        await session.execute(update(Tenant).values(name="changed"))
        await release(session)
    async with database.read() as session:
        assert (await session.scalars(select(Tenant.name))).all() == ["changed"]


def test_a_document_that_may_be_missing_is_null_and_never_a_null_inside() -> None:
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    documents = {column: column.type for column in columns if isinstance(column.type, JSONB) and column.nullable}
    assert documents
    assert [str(column) for column, kind in documents.items() if not kind.none_as_null] == []


def test_money_is_never_a_float() -> None:
    words = ("cost", "price", "budget", "amount")
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    money = [column for column in columns if any(word in column.name for word in words)]
    assert money
    assert [str(column) for column in money if isinstance(column.type, Float)] == []


async def test_thousands_of_values_are_one_parameter(database: Database) -> None:
    async with database.write() as session:
        session.add(tenant("acme"))
    wanted = ["acme", *(str(number) for number in range(3000))]
    statement = select(Tenant.name).where(among(Tenant.name, wanted))
    assert len(statement.compile(compile_kwargs={"render_postcompile": True}).params) == 1
    async with database.read() as session:
        assert (await session.scalars(statement)).all() == ["acme"]
        assert (await session.scalars(select(Tenant.name).where(among(Tenant.name, [])))).all() == []


async def test_a_snapshot_sees_all_as_it_was_when_it_began(database: Database) -> None:
    names = select(Tenant.name)
    async with database.snapshot() as session:
        assert (await session.scalars(names)).all() == []
        async with database.write() as other:
            other.add(tenant("later"))
        assert (await session.scalars(names)).all() == []
