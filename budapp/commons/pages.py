"""Pages of lists: the rows, the number of all, and the cursor of the next page, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Row, Select, bindparam, func, literal_column, select

from budapp.commons.database import ReadSession
from budapp.commons.paging import Columns, Order, Paging, after, decode_cursor, encode_cursor, parse_order
from budapp.commons.prepared import Bound, Prepared

_MAX_PAGES = 500
"""How many statements of pages are kept, of all lists together: each takes some 16 KB."""


class Page:
    """The rows of one page, the number of all rows, and the cursor of the next page."""

    __slots__ = ("next_cursor", "paging", "rows", "total")

    def __init__(self, paging: Paging, rows: Sequence[Row[Any]], total: int, next_cursor: str | None) -> None:
        self.paging = paging
        self.rows = rows
        self.total = total
        self.next_cursor = next_cursor

    def envelope(self) -> dict[str, Any]:
        """Return what a `PageAnswer` says beside the rows."""
        return {
            "page": self.paging.page,
            "limit": self.paging.limit,
            "total_record": self.total,
            "next_cursor": self.next_cursor,
        }


async def fetch_page(
    session: ReadSession,
    paging: Paging,
    statement: Select[Any] | Bound,
    sortable: Columns,
    default: str = "-created_at",
) -> Page:
    """Return one page of the statement's rows and their number, in one round trip.

    The statement's columns must include the ones of `sortable` under their names, `id` among them.
    """
    orders = tuple(parse_order(paging.order_by, sortable, default))
    found = await _rows_of(session, paging, statement, orders)
    rows = found[: paging.limit]
    more = len(found) > paging.limit and rows
    next_cursor = encode_cursor(orders, rows[-1]._mapping) if more else None
    if found:
        return Page(paging, rows, found[0]._total, next_cursor)
    beyond = paging.page > 1 or paging.cursor
    return Page(paging, rows, await _count(session, statement) if beyond else 0, None)


async def _rows_of(
    session: ReadSession, paging: Paging, statement: Select[Any] | Bound, orders: tuple[Order, ...]
) -> Sequence[Row[Any]]:
    """Return the rows of the page and one more, if there is one."""
    cursor = decode_cursor(orders, paging.cursor) if paging.cursor else None
    filtered = not isinstance(statement, Bound) or statement.filtered
    shape = _Shape.of(paging, orders, cursor, search=paging.search and filtered)
    values = {f"cursor_{number}": value for number, value in enumerate(cursor or ())}
    if shape.skips:
        values["page_offset"] = paging.offset
    if isinstance(statement, Bound):
        page = Bound(_prepared_page(statement.prepared, shape), statement.values)
        return await page.rows(session, **values)
    rows: Sequence[Row[Any]] = (await session.execute(shape.applied_to(statement).params(values))).all()
    return rows


async def _count(session: ReadSession, statement: Select[Any] | Bound) -> int:
    """Return the number of all rows, where the page has none to stand beside."""
    if isinstance(statement, Bound):
        row = await Bound(_prepared_count(statement.prepared), statement.values).first(session)
        return row._total if row is not None else 0
    return await session.scalar(_total(statement)) or 0


@dataclass(frozen=True, slots=True)
class _Shape:
    """All that decides how the statement of a page reads; offset and cursor are bound when it is sent.

    Args:
        orders: what it is ordered by.
        limit: how many rows it has; it is spelled out, as PostgreSQL keeps no plan for a limit that it has to guess.
        skips: whether rows come before the page.
        search: whether texts are searched: rows are looked through once then, for page and count.
        cursor: for each order whether the cursor has a value there; None without a cursor.
    """

    orders: tuple[Order, ...]
    limit: int
    skips: bool
    search: bool
    cursor: tuple[bool, ...] | None

    @classmethod
    def of(cls, paging: Paging, orders: tuple[Order, ...], cursor: Sequence[Any] | None, *, search: bool) -> "_Shape":
        has_value = tuple(value is not None for value in cursor) if cursor is not None else None
        return cls(orders, paging.limit, paging.offset > 0 and cursor is None, search, has_value)

    def applied_to(self, statement: Select[Any]) -> Select[Any]:
        """Return the select of the page, with the number of all rows beside each row."""
        return self._of_search(statement) if self.search else self._of_all(statement)

    def _of_all(self, statement: Select[Any]) -> Select[Any]:
        page = self._cut(statement, self.orders)
        if self.skips:
            # The rows that are skipped are only counted off, not worked out in full.
            ids = page.with_only_columns(self._key())
            page = self._ordered(statement.where(self._key().in_(ids)), self.orders)
        return page.add_columns(_total(statement).scalar_subquery().label("_total"))

    def _of_search(self, statement: Select[Any]) -> Select[Any]:
        """Return the page of what a search finds: texts are looked through once, for page and count."""
        wanted = (order.column.label(order.name) for order in self.orders)
        found = statement.with_only_columns(*wanted, maintain_column_froms=True).order_by(None).cte("found")
        of_found = tuple(replace(order, column=found.c[order.name]) for order in self.orders)
        ids = self._cut(select(found.c.id), of_found)
        total = select(func.count()).select_from(found).scalar_subquery().label("_total")
        return self._ordered(statement.where(self._key().in_(ids)), self.orders).add_columns(total)

    def _cut(self, statement: Select[Any], orders: tuple[Order, ...]) -> Select[Any]:
        """Return the rows of the page and one more."""
        page = self._ordered(statement, orders).limit(literal_column(str(self.limit + 1)))
        if self.cursor is not None:
            return page.where(after(orders, [self._cursor_value(number) for number in range(len(orders))]))
        return page.offset(bindparam("page_offset", type_=BigInteger())) if self.skips else page

    def _cursor_value(self, number: int) -> Any:
        column = self.orders[number].column
        return bindparam(f"cursor_{number}", type_=column.type) if self.cursor and self.cursor[number] else None

    def _key(self) -> Any:
        return next(order.column for order in self.orders if order.name == "id")

    @staticmethod
    def _ordered(statement: Select[Any], orders: tuple[Order, ...]) -> Select[Any]:
        return statement.order_by(*(order.clause() for order in orders))


@lru_cache(_MAX_PAGES)
def _prepared_page(statement: Prepared, shape: _Shape) -> Prepared:
    return Prepared(shape.applied_to(statement.statement))


@lru_cache(_MAX_PAGES)
def _prepared_count(statement: Prepared) -> Prepared:
    return Prepared(_total(statement.statement))


def _total(statement: Select[Any]) -> Select[Any]:
    counted: Select[Any] = statement.with_only_columns(literal_column("1"), maintain_column_froms=True).order_by(None)
    return select(func.count().label("_total")).select_from(counted.subquery())
