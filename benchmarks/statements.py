"""The statements that budapp sends for a request, with their parameters."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import event

from benchmarks.cases import Target
from budapp.commons.database import Database
from budapp.commons.reading import Record


@dataclass(frozen=True)
class Statement:
    sql: str
    parameters: tuple[Any, ...]


async def statements_of(client: httpx.AsyncClient, database: Database, target: Target) -> list[Statement]:
    """Ask the request twice, and return what the second time sends, when the caller is known."""
    with heard(database) as sent:
        for attempt in (1, 2):
            sent.clear()
            body = target.body(f"statements of {target.case.name} {attempt}")
            method = "POST" if target.case.posts else "GET"
            response = await client.request(method, target.path, json=body, headers=target.headers)
            response.raise_for_status()
    return sent


@contextmanager
def heard(database: Database) -> Iterator[list[Statement]]:
    """Collect what is sent over all pools."""
    sent: list[Statement] = []
    fetch = database.reads.fetch

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
        sent.append(Statement(sql, tuple(parameters)))

    async def note_read(sql: str, parameters: Sequence[Any]) -> Sequence[Record]:
        sent.append(Statement(sql, tuple(parameters)))
        return await fetch(sql, parameters)

    engines = [database.engine.sync_engine, database.read_engine.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    setattr(database.reads, "fetch", note_read)  # noqa: B010
    try:
        yield sent
    finally:
        setattr(database.reads, "fetch", fetch)  # noqa: B010
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
