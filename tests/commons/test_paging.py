"""Lists by page and by cursor, on a table of their own."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, Uuid, insert, select

from budapp.commons.crud import Page, fetch_page
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import UnprocessableContent
from budapp.commons.paging import Paging, parse_order

probe = Table(
    "paging_probe",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("score", Integer),
    Column("label", Text),
    Column("moment", DateTime(timezone=True)),
)
COLUMNS = {column.name: column for column in probe.c}
START = datetime(2026, 1, 1, microsecond=123456, tzinfo=UTC)

rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.uuids(),
            "rank": st.integers(0, 2),
            "score": st.none() | st.integers(-1, 1),
            "label": st.none() | st.sampled_from("abc"),
            "moment": st.none() | st.integers(0, 2).map(lambda n: START + timedelta(microseconds=n)),
        }
    ),
    max_size=12,
    unique_by=lambda row: row["id"],
)
sorted_by = st.tuples(st.sampled_from(["rank", "score", "label", "moment", "id"]), st.booleans())
orders = st.lists(sorted_by, max_size=3, unique_by=lambda order: order[0])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)
with_database = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
async def table(app: Any) -> AsyncIterator[None]:
    async with components_of(app)[Database].engine.begin() as connection:
        await connection.run_sync(probe.metadata.create_all)
    yield
    async with components_of(app)[Database].engine.begin() as connection:
        await connection.run_sync(probe.metadata.drop_all)


async def fill(database: Database, values: list[dict[str, Any]]) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(probe.delete())
        if values:
            await connection.execute(insert(probe), values)


async def fetch(database: Database, **asked: Any) -> Page:
    async with database.read() as session:
        return await fetch_page(session, Paging(**asked), select(probe), COLUMNS, "rank")


def in_order(values: list[dict[str, Any]], order: list[tuple[str, bool]]) -> list[UUID]:
    """Sort as asked, rows without a value last, then by id in the direction of the last column."""
    found = list(values)
    for name, descending in reversed([*order, ("id", order[-1][1])]):  # a second id changes nothing
        present = [row for row in found if row[name] is not None]
        present.sort(key=lambda row: row[name], reverse=descending)
        found = present + [row for row in found if row[name] is None]
    return [row["id"] for row in found]


@with_database
@given(values=rows, order=orders, limit=st.integers(1, 4))
async def test_walking_by_cursor_sees_each_row_once_and_in_order(
    database: Database, table: None, values: list[dict[str, Any]], order: list[tuple[str, bool]], limit: int
) -> None:
    await fill(database, values)
    asked = {"limit": limit, "order_by": ",".join(f"{'-' * descending}{name}" for name, descending in order)}
    seen: list[UUID] = []
    page = await fetch(database, **asked)
    while True:
        assert page.total == len(values)
        seen += [row.id for row in page.rows]
        assert (page.next_cursor is None) == (len(seen) == len(values)), "a full last page leads nowhere"
        if page.next_cursor is None:
            break
        assert len(page.rows) == limit
        page = await fetch(database, **asked, cursor=page.next_cursor)
    assert seen == in_order(values, order or [("rank", False)])


@with_database
@given(values=rows, order=orders, limit=st.integers(1, 4))
async def test_walking_by_page_sees_the_same_rows(
    database: Database, table: None, values: list[dict[str, Any]], order: list[tuple[str, bool]], limit: int
) -> None:
    await fill(database, values)
    order_by = ",".join(f"{name}:{'desc' if descending else 'asc'}" for name, descending in order)
    pages = [await fetch(database, limit=limit, order_by=order_by, page=n + 1) for n in range(len(values) // limit + 2)]
    assert {page.total for page in pages} == {len(values)}
    assert [row.id for page in pages for row in page.rows] == in_order(values, order or [("rank", False)])


async def refused_or_page(database: Database, cursor: str, order_by: str) -> None:
    with suppress(UnprocessableContent):
        await fetch(database, cursor=cursor, order_by=order_by)


@with_database
@given(values=st.tuples(json_values, json_values, json_values, json_values), names=st.permutations(["score", "label"]))
async def test_a_forged_cursor_is_refused_before_postgresql_would(
    database: Database, table: None, values: tuple[Any, ...], names: list[str]
) -> None:
    forged = dict(zip([*names, "moment", "id"], values, strict=True))
    cursor = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()[:2000]
    await refused_or_page(database, cursor, "score,label,moment")


@with_database
@given(data=st.data())
async def test_a_damaged_cursor_is_refused_or_harmless(database: Database, table: None, data: st.DataObject) -> None:
    values = [{"id": UUID(int=n), "rank": n, "score": None, "label": "a", "moment": START} for n in range(3)]
    await fill(database, values)
    cursor = (await fetch(database, limit=1, order_by="score,label,moment")).next_cursor
    assert cursor is not None
    at = data.draw(st.integers(0, len(cursor) - 1))
    damage = data.draw(st.characters(exclude_categories=["Cs"]))  # a request's text has no lone surrogates
    await refused_or_page(database, cursor[:at] + damage + cursor[at + 1 :], "score,label,moment")


@pytest.mark.parametrize(
    "cursor",
    [
        "?",
        "e30",
        base64.urlsafe_b64encode(b"[" * 1400).decode(),
        base64.urlsafe_b64encode(b'["rank","id"]').decode(),
        base64.urlsafe_b64encode(b'{"rank":null,"id":"00000000-0000-0000-0000-000000000000"}').decode(),
        base64.urlsafe_b64encode(b'{"rank":2147483648,"id":"00000000-0000-0000-0000-000000000000"}').decode(),
    ],
)
async def test_a_cursor_that_is_none_is_refused(database: Database, table: None, cursor: str) -> None:
    with pytest.raises(UnprocessableContent):
        await fetch(database, cursor=cursor)


async def test_a_cursor_of_another_order_is_refused(database: Database, table: None) -> None:
    await fill(database, [{"id": UUID(int=n), "rank": n} for n in range(3)])
    cursor = (await fetch(database, limit=1, order_by="rank")).next_cursor
    with pytest.raises(UnprocessableContent):
        await fetch(database, limit=1, order_by="score", cursor=cursor)


async def test_the_farthest_page_is_empty_rather_than_an_error(database: Database, table: None) -> None:
    await fill(database, [{"id": UUID(int=n), "rank": n} for n in range(3)])
    page = await fetch(database, page=1_000_000, limit=10_000)
    assert (page.rows, page.total, page.next_cursor) == ([], 3, None)


async def test_a_limit_of_zero_only_counts(database: Database, table: None) -> None:
    await fill(database, [{"id": UUID(int=n), "rank": n} for n in range(3)])
    page = await fetch(database, limit=0)
    assert (page.rows, page.total) == ([], 3)


@given(order_by=st.none() | st.text(alphabet="-:, abc_ranksoeidl", max_size=40))
def test_any_order_by_gives_a_total_order_over_known_columns(order_by: str | None) -> None:
    names = [order.name for order in parse_order(order_by, COLUMNS, "rank")]
    assert "id" in names
    assert len(names) == len(set(names))
    assert set(names) <= set(COLUMNS)


@pytest.mark.parametrize("order_by", [None, "", "null", "unknown", ",,"])
def test_what_is_unknown_falls_back_to_the_default(order_by: str | None) -> None:
    assert [(order.name, order.descending) for order in parse_order(order_by, COLUMNS, "-rank")] == [
        ("rank", True),
        ("id", True),
    ]
