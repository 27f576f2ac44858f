"""The statements that budapp sends for a request, with their parameters."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import event

from benchmarks.cases import Case
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.main import create_app


@dataclass(frozen=True)
class Statement:
    sql: str
    parameters: tuple[Any, ...]


async def statements_of(settings: Settings, cases: list[Case]) -> dict[str, list[Statement]]:
    """Ask each request once in this process, and return what a second one sends."""
    app = create_app(settings.model_copy(update={"log_level": "WARNING"}))
    logging.getLogger("budapp").setLevel(logging.WARNING)
    transport = httpx.ASGITransport(app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.bench") as client:
            with _heard(components_of(app)[Database]) as heard:
                return {case.name: await _of(client, case, heard) for case in cases}
    finally:
        await components_of(app).close()


async def _of(client: httpx.AsyncClient, case: Case, heard: list[Statement]) -> list[Statement]:
    for attempt in (1, 2):
        heard.clear()
        body = {"name": f"statements of {case.name} {attempt}"} if case.posts else None
        headers = {"Authorization": f"Bearer {case.token}"}
        response = await client.request("POST" if case.posts else "GET", case.path, json=body, headers=headers)
        response.raise_for_status()
    return list(heard)


@contextmanager
def _heard(database: Database) -> Iterator[list[Statement]]:
    """Collect what is sent over both pools."""
    heard: list[Statement] = []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
        heard.append(Statement(sql, tuple(parameters)))

    engines = [database.engine.sync_engine, database.read_engine.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield heard
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
