"""What the commands of all domains share."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Annotated, Any, TypeVar

import orjson
import typer
from pydantic import BaseModel

from budapp.commons.config import Settings
from budapp.commons.domain import Components
from budapp.commons.logging import configure_logging

Result = TypeVar("Result")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""Every command that prints something takes it."""

make_components: ContextVar[Callable[[], Components]] = ContextVar("make_components")
"""How the command line that runs makes the components of its service."""


def run_with(work: Callable[[Components], Awaitable[Result]]) -> Result:
    """Do the work of a command with the components of the service, only those built that it asks for."""

    async def run() -> Result:
        components = make_components.get()()
        configure_logging(components[Settings].log_level, sys.stderr)  # what a command prints is its own
        try:
            return await work(components)
        finally:
            await components.close()

    return asyncio.run(run())


def show(found: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """Print what a command has found: the lines for people, or all of it as JSON for programs."""
    if as_json:
        typer.echo(orjson.dumps(found, default=_plain, option=orjson.OPT_INDENT_2))
        return
    for line in lines:
        typer.echo(line)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the rows in columns, under their heads; nothing where there are none."""
    if not rows:
        return []
    cells = [heads, *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = (zip(line, widths, strict=True) for line in cells)
    return ["  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in padded]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError
