"""Counts the SQL statements that a piece of work sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from budapp.commons.database import Database


class Statements(list[str]):
    """The statements sent so far, oldest first."""


@contextmanager
def count_statements(database: Database) -> Iterator[Statements]:
    """Collect what is sent over both pools."""
    sent = Statements()

    def collect(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    engines = [database.engine.sync_engine, database.read_engine.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", collect)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", collect)
