"""How lists are asked for: by page or by cursor, ordered, filtered and searched."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field, TypeAdapter, field_validator
from pydantic_core import to_jsonable_python
from sqlalchemy import BigInteger, ColumnElement, Integer, Text, and_, false, func, literal_column, or_, type_coerce

from budapp.commons.errors import UnprocessableContent
from budapp.commons.texts import composed
from budapp.commons.timestamps import Timestamp

MAX_LIMIT = 10_000

Columns = Mapping[str, Any]


class Paging(BaseModel):
    """Which rows of a list are wanted.

    A `cursor` (the `next_cursor` of an earlier answer, with the same `order_by`) goes on behind the row that it stands
    for, at a cost that does not grow with the depth; `page` is ignored then.
    """

    page: int = Field(default=1, ge=1, le=1_000_000)
    limit: int = Field(default=10, ge=0, le=MAX_LIMIT)
    search: bool = False
    order_by: str | None = Field(default=None, max_length=200, examples=["-created_at", "name:asc"])
    cursor: str | None = Field(default=None, max_length=2000)

    @field_validator("*")
    @classmethod
    def _compose(cls, value: Any) -> Any:
        """Compose the texts of every filter (NFC), as names are kept."""
        if isinstance(value, list):
            return [cls._compose(item) for item in value]
        return composed(value) if type(value) is str else value

    @property
    def offset(self) -> int:
        """How many rows come before the page."""
        return (self.page - 1) * self.limit


PagingQuery = Annotated[Paging, Query()]


@dataclass(frozen=True, slots=True)
class Order:
    """One column to order by; two are the same if they are called so, as one statement has each name once."""

    name: str
    column: Any = field(compare=False)
    descending: bool

    @property
    def nullable(self) -> bool:
        """Tell whether rows may lack a value; of an expression we can't know, so they may."""
        return bool(getattr(self.column, "nullable", True))

    def clause(self) -> ColumnElement[Any]:
        """Return the part of ORDER BY; rows without a value come last, as cursors need one fixed place for them.

        PostgreSQL puts them last by itself when ascending. Nothing is said about columns that always hold a value:
        an index serves only the exact order that it was made with.
        """
        clause: ColumnElement[Any] = self.column.desc() if self.descending else self.column.asc()
        return clause.nulls_last() if self.descending and self.nullable else clause

    def equals(self, value: Any) -> ColumnElement[bool]:
        """Return the condition for rows that stand level with the value."""
        condition: ColumnElement[bool] = self.column.is_(None) if value is None else self.column == value
        return condition

    def beyond(self, value: Any) -> ColumnElement[bool]:
        """Return the condition for rows that come after the value."""
        if value is None:
            return false()
        further: ColumnElement[bool] = self.column < value if self.descending else self.column > value
        return or_(further, self.column.is_(None)) if self.nullable else further

    def not_before(self, value: Any) -> ColumnElement[bool]:
        """Return the condition for rows level with the value or after it, so that an index can start there."""
        if self.nullable:
            return or_(self.equals(value), self.beyond(value))
        condition: ColumnElement[bool] = self.column <= value if self.descending else self.column >= value
        return condition


def parse_order(order_by: str | None, columns: Columns, default: str = "-created_at") -> list[Order]:
    """Read `order_by`: names parted by commas, descending as `-name` or `name:desc`.

    Unknown names and `null` are ignored, as today's clients rely on. The id comes last, so that the order is total.
    """
    orders: list[Order] = []
    for part in (order_by or "").split(","):
        name, _, direction = part.strip().partition(":")
        descending = name.startswith("-") or direction.lower() == "desc"
        name = name.lstrip("-")
        if name in columns and all(order.name != name for order in orders):
            orders.append(Order(name, columns[name], descending))
    if not orders and order_by != default:
        return parse_order(default, columns, default)
    if any(order.name == "id" for order in orders):
        return orders
    last_descending = orders[-1].descending if orders else True
    return [*orders, Order("id", columns["id"], last_descending)]


def encode_cursor(orders: Sequence[Order], row: Mapping[Any, Any]) -> str:
    """Return an opaque cursor that stands for the row in this order."""
    values = {order.name: to_jsonable_python(row[order.name]) for order in orders}
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def after(orders: Sequence[Order], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition for the rows behind the one with these values, or parameters that stand for them."""
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for order, value in zip(orders, values, strict=True):
        alternatives.append(and_(*equal, order.beyond(value)))
        equal.append(order.equals(value))
    return and_(orders[0].not_before(values[0]), or_(*alternatives))


def decode_cursor(orders: Sequence[Order], cursor: str) -> list[Any]:
    """Return the values that the cursor holds, one for each order.

    Raises:
        UnprocessableContent: the cursor is damaged or belongs to another order.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if list(values) != [order.name for order in orders]:
            raise ValueError
        return [_from_json(order, value) for order, value in zip(orders, values.values(), strict=True)]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        message = "This cursor does not belong to this list in this order"
        raise UnprocessableContent(message, param="cursor") from error


@lru_cache
def _adapter(python_type: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(Timestamp if python_type is datetime else python_type)


def _from_json(order: Order, value: Any) -> Any:
    """Return the value as the driver wants it, or raise ValueError where PostgreSQL would refuse it."""
    if value is None:
        if not order.nullable:
            raise ValueError
        return None
    found = _adapter(order.column.type.python_type).validate_python(value)
    if isinstance(found, str) and "\0" in found:
        raise ValueError
    if isinstance(found, int) and abs(found) >= 1 << (63 if isinstance(order.column.type, BigInteger) else 31):
        raise ValueError
    return found


def contains(column: Any, text: Any) -> ColumnElement[bool]:
    """Return the condition that the column holds the text, or what a parameter stands for, whatever its case."""
    found = func.strpos(func.lower(column), func.lower(type_coerce(text, Text())), type_=Integer())
    return found > literal_column("0")


@dataclass(frozen=True, slots=True)
class TextFilter:
    """How a list is filtered by a text that is no plain column: where it must be equal, and where it is searched.

    Both take the text, or the parameter of a prepared statement that stands for it.
    """

    equals: Callable[[Any], ColumnElement[bool]]
    contains: Callable[[Any], ColumnElement[bool]]


def matching(query: Paging, **texts: Any) -> list[ColumnElement[bool]]:
    """Return the conditions for the texts that a list is asked for; this is the rule for all lists, prepared or not.

    Search boxes send one text in several parameters. So with `search` the texts are alternatives, and it is enough that
    one column contains its text, whatever its case; without, all must hold, and each must be equal. Of several texts in
    one parameter, one must fit.

    Args:
        query: the request's query; its attributes are called like the parameters.
        texts: parameter → column, or `TextFilter`. Ids and enumerations belong into `equal`.
    """
    filters = {name: _text_filter(column) for name, column in texts.items()}
    given = {name: _several(getattr(query, name)) for name in filters}
    if query.search:
        found = [filters[name].contains(text) for name, values in given.items() for text in values]
        return [or_(*found)] if found else []
    return [or_(*map(filters[name].equals, values)) for name, values in given.items() if values]


def equal(query: BaseModel, **columns: Any) -> list[ColumnElement[bool]]:
    """Return the conditions for the ids and enumerations that a list is asked for, by parameter, search or not."""
    given = {name: getattr(query, name) for name in columns}
    return [column == given[name] for name, column in columns.items() if given[name] is not None]


def _text_filter(column: Any) -> TextFilter:
    return column if isinstance(column, TextFilter) else TextFilter(column.__eq__, partial(contains, column))


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [] if value is None else [value]
