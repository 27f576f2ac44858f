"""What a unit of work leaves beside its rows: written at its end in one statement, but for what was rolled back."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from budapp.audit.models import AuditEntry
from budapp.commons.database import Base, Database
from budapp.gateway_changes import crud as gateway_changes
from budapp.gateway_changes.models import GatewayChange
from budapp.live_ops import crud as live_events
from budapp.live_ops.models import LiveEvent
from budapp.model_ops.models import Model
from tests.cast import Cast
from tests.statements import count_statements

LEFT: dict[type[Base], Any] = {
    AuditEntry: AuditEntry.resource_id,
    LiveEvent: LiveEvent.object_id,
    GatewayChange: GatewayChange.item,
}
"""Tables of what is left, and where they have the id of what it is about."""

TABLES = sorted(model.__tablename__ for model in LEFT)


def model_named(cast: Cast, name: str) -> Model:
    """A model: of the rows that leave something in each table."""
    about = {"modality": ["text_input"], "uri": name, "supported_endpoints": []}
    owned = {"tenant_id": cast.tenant_id, "created_by": cast.admin.id}
    return Model(id=uuid7(), name=name, source="local", provider_type="hugging_face", **about, **owned)


async def about(database: Database, *models: Model) -> dict[str, list[str]]:
    """Return the names of the models that each table has something of."""
    names = {str(model.id): model.name for model in models}
    async with database.read() as session:
        found = {table.__tablename__: await session.scalars(select(column)) for table, column in LEFT.items()}
        return {table: sorted({names[str(id_)] for id_ in ids if str(id_) in names}) for table, ids in found.items()}


async def test_what_a_request_leaves_in_three_tables_is_one_statement(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    with count_statements(database) as sent:
        answer = await client.post("/projects/", json={"name": "Boreas"}, headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    filled = [table for table in TABLES if f"INSERT INTO {table} " in sent[-1]]
    assert filled == TABLES
    assert not [each for each in sent[:-1] if any(f"INSERT INTO {table} " in each for table in TABLES)]


async def test_a_savepoint_that_is_rolled_back_takes_along_what_was_left_in_it(database: Database, cast: Cast) -> None:
    before, within, after = (model_named(cast, name) for name in ("before", "within", "after"))
    async with database.write() as session:
        session.add(before)
        savepoint = await session.begin_nested()
        session.add(within)
        await session.flush()
        await savepoint.rollback()
        session.add(after)
    assert await about(database, before, within, after) == {table: ["after", "before"] for table in TABLES}


async def test_what_was_left_in_a_savepoint_that_is_released_is_written_with_the_rest(
    database: Database, cast: Cast
) -> None:
    within, after = model_named(cast, "within"), model_named(cast, "after")
    with count_statements(database) as sent:
        async with database.write() as session:
            async with session.begin_nested():
                session.add(within)
            session.add(after)
    assert len([each for each in sent if "INSERT INTO audit_trail " in each]) == 1
    assert await about(database, within, after) == {table: ["after", "within"] for table in TABLES}


async def test_notes_for_the_gateway_are_written_in_order_and_once_each(database: Database) -> None:
    async with database.write() as session:
        for item in ("b", "a", "b", "c"):
            gateway_changes.note(session.sync_session, "project", item)
    async with database.read() as session:
        items = await session.scalars(select(GatewayChange.item).order_by(GatewayChange.position))
        assert items.all() == ["a", "b", "c"]


async def add(database: Database, model: Model, *, note: str = "") -> None:
    async with database.write() as session:
        session.add(model)
        if note:
            gateway_changes.note(session.sync_session, "project", note)


async def test_whoever_waits_for_what_is_left_is_woken_by_a_commit_alone(database: Database, cast: Cast) -> None:
    waiting = {live_events: asyncio.Event(), gateway_changes: asyncio.Event()}
    for crud, woken in waiting.items():
        crud.wakeups.add(woken)
    try:
        with pytest.raises(DBAPIError):
            await add(database, model_named(cast, "not to be stored"), note="a NUL \0")
        assert not any(woken.is_set() for woken in waiting.values())
        await add(database, model_named(cast, "stored"))
        assert all(woken.is_set() for woken in waiting.values())
    finally:
        for crud, woken in waiting.items():
            crud.wakeups.discard(woken)


async def test_where_one_kind_cannot_be_written_nothing_is(database: Database, cast: Cast) -> None:
    model = model_named(cast, "made")
    with pytest.raises(DBAPIError):
        await add(database, model, note="a NUL \0")
    assert await about(database, model) == {table: [] for table in TABLES}
    async with database.read() as session:
        assert (await session.scalars(select(Model))).all() == []
