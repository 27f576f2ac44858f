"""What a unit of work leaves beside the rows that it changes: entries of the trail, live events, notes for the gateway.

Items are collected while the unit of work goes on, and written right before its commit, all kinds in one statement:
they are committed together with what they follow from, or not at all. A savepoint that is rolled back takes along what
was collected in it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from pydantic_core import to_jsonable_python
from sqlalchemy import Insert, Table, bindparam, column, event, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, SessionTransaction

from budapp.commons.database import Base, Callback, now

T = TypeVar("T")
Rows = Sequence[Mapping[str, Any]]

_ITEMS, _MARKS = "pending_items", "pending_marks"


class Pending(Generic[T]):
    """One kind of item, and the table that it is written to."""

    def __init__(
        self, model: type[Base], rows: Callable[[Sequence[T]], Rows], after_commit: Callback | None = None
    ) -> None:
        """Declare the kind, once in a process.

        Args:
            model: the table.
            rows: makes its rows of what was collected, in the order in which they are written. `created_at` and
                `modified_at` are filled in where a row lacks them; any other column that it lacks is NULL, whatever
                the column's default.
            after_commit: runs once items of this kind are committed.
        """
        self.table = cast("Table", model.__table__)
        self.rows = rows
        self.after_commit = after_commit

    def add(self, session: Session, *items: T) -> None:
        """Collect items in the unit of work."""
        session.info.setdefault(_ITEMS, []).extend((self, item) for item in items)


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    collected: dict[Pending[Any], list[Any]] = {}
    for kind, item in session.info.pop(_ITEMS, ()):
        collected.setdefault(kind, []).append(item)
    if not collected:
        return
    kinds = sorted(collected, key=lambda kind: kind.table.name)
    at = now()
    values = {
        kind.table.name: to_jsonable_python(
            [{"created_at": at, "modified_at": at, **row} for row in kind.rows(collected[kind])]
        )
        for kind in kinds
    }
    session.connection().execute(_insert(tuple(kind.table for kind in kinds)), values)
    callbacks = session.info.setdefault("after_commit", [])
    callbacks.extend(kind.after_commit for kind in kinds if kind.after_commit is not None)


@lru_cache
def _insert(tables: tuple[Table, ...]) -> Insert:
    """Return the one statement that fills the tables, each from a parameter of its name: an array of JSON objects."""
    *others, last = map(_insert_into, tables)
    return last.add_cte(*(each.cte(f"into_{table.name}") for each, table in zip(others, tables, strict=False)))


def _insert_into(table: Table) -> Insert:
    fields = [column(each.name, each.type) for each in table.columns if each.identity is None]
    given = func.jsonb_to_recordset(bindparam(table.name, type_=JSONB)).table_valued(*fields)
    rows = given.render_derived(name=f"given_{table.name}", with_types=True)
    return insert(table).from_select([field.name for field in fields], select(rows))


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.info.setdefault(_MARKS, {})[transaction] = len(session.info.get(_ITEMS, ()))


@event.listens_for(Session, "after_soft_rollback")
def _drop(session: Session, previous: SessionTransaction) -> None:
    if previous.parent is None:
        session.info.pop(_ITEMS, None)
    elif previous.nested:
        del session.info.get(_ITEMS, [])[session.info.get(_MARKS, {}).pop(previous, 0) :]
