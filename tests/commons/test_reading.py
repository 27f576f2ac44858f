"""Reads that go past SQLAlchemy: what they keep of a session's promises."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Select, column, literal_column, select, table, text
from sqlalchemy.exc import DBAPIError

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.error_handlers import as_app_error
from budapp.commons.prepared import Prepared


def changing() -> Select[tuple[object]]:
    return select(column("changing")).select_from(table("changing_table"))


async def test_what_is_prepared_can_not_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only"):
        await database.reads.fetch("delete from tenant", ())


async def test_a_statement_survives_a_change_of_its_table(database: Database) -> None:
    statement = Prepared(changing())
    async with database.write() as session:
        await session.execute(text("create table changing_table as select 1 as changing"))
    try:
        async with database.read() as session:
            assert [row.changing for row in await statement.rows(session, {})] == [1]
        async with database.write() as session:
            await session.execute(text("alter table changing_table alter column changing type text"))
        async with database.read() as session:
            assert [row.changing for row in await statement.rows(session, {})] == ["1"]
    finally:
        async with database.write() as session:
            await session.execute(text("drop table changing_table"))


async def test_a_row_has_its_columns_as_attributes_and_no_others(database: Database) -> None:
    json: ColumnElement[Any] = literal_column("""'{"a": [1]}'::jsonb""").label("json")
    selected: Select[Any] = select(literal_column("1").label("one"), json)
    statement = Prepared(selected)
    async with database.read() as session:
        row = (await statement.rows(session, {}))[0]
    assert (row.one, row.json) == (1, {"a": [1]})
    assert {**row._mapping} == {"one": 1, "json": {"a": [1]}}
    with pytest.raises(AttributeError, match="two"):
        _ = row.two


async def test_a_refused_statement_is_the_error_that_a_session_raises(database: Database) -> None:
    with pytest.raises(DBAPIError) as refused:
        await database.reads.fetch("select 1 / 0", ())
    assert as_app_error(refused.value).status == 422


async def test_whoever_waits_too_long_for_a_connection_is_told_so(settings: Settings, migrated: None) -> None:
    database = Database(settings.model_copy(update={"psql_pool_size": 1, "psql_timeout_seconds": 1}))
    holding = asyncio.create_task(database.reads.fetch("select pg_sleep(3)", ()))
    await asyncio.sleep(0.2)
    with pytest.raises(TimeoutError) as refused:
        await database.reads.fetch("select 1", ())
    assert as_app_error(refused.value).status == 503
    holding.cancel()
    await database.dispose()


async def test_a_connection_that_was_lost_is_replaced(database: Database) -> None:
    [row] = await database.reads.fetch("select pg_backend_pid() as pid", ())
    async with database.write() as session:
        await session.execute(text("select pg_terminate_backend(:pid)").bindparams(pid=row.pid))
    await asyncio.sleep(0.2)
    [other] = await database.reads.fetch("select pg_backend_pid() as pid", ())
    assert other.pid != row.pid


async def test_a_statement_that_is_given_up_ends_and_frees_its_connection(settings: Settings, migrated: None) -> None:
    database = Database(settings.model_copy(update={"psql_pool_size": 1}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await database.reads.fetch("select pg_sleep(60) as given_up", ())
    others = "pid <> pg_backend_pid() and state = 'active' and query like '%given_up'"
    assert await database.reads.fetch(f"select 1 from pg_stat_activity where {others}", ()) == []
    await database.dispose()


async def test_each_connection_says_who_it_is_and_keeps_the_time_limits(settings: Settings, migrated: None) -> None:
    database = Database(settings.model_copy(update={"psql_statement_seconds": 0.2}))
    [row] = await database.reads.fetch("select current_setting('application_name') as name", ())
    with pytest.raises(DBAPIError) as ended:
        await database.reads.fetch("select pg_sleep(60)", ())
    assert (row.name, as_app_error(ended.value).status) == ("budapp", 503)
    await database.dispose()
