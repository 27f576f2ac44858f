"""Counts the SQL statements that a piece of work sends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from budapp.commons.database import Database
from budapp.commons.reading import Record


class Statements(list[str]):
    """The statements sent so far, oldest first."""


@contextmanager
def count_statements(database: Database) -> Iterator[Statements]:
    """Collect what is sent over all pools."""
    sent = Statements()

    def collect(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    fetch = database.reads.fetch

    async def collect_read(sql: str, parameters: Sequence[Any]) -> Sequence[Record]:
        sent.append(sql)
        return await fetch(sql, parameters)

    engines = [database.engine.sync_engine, database.read_engine.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", collect)
    setattr(database.reads, "fetch", collect_read)  # noqa: B010
    try:
        yield sent
    finally:
        setattr(database.reads, "fetch", fetch)  # noqa: B010
        for engine in engines:
            event.remove(engine, "before_cursor_execute", collect)
