"""What commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 400
"""Columns, where nobody looks: nothing is wrapped or cut off."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON, complete, for programs.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to list at most.")]


class Described(Protocol):
    """A generated model."""

    def to_dict(self) -> dict[str, Any]: ...


Item = TypeVar("Item", bound=Described)
Columns = Mapping[str, Callable[[Item], object]]
"""Heads, and what stands below them."""


def show_list(items: Iterable[Item], columns: Columns[Item], none: str, *, as_json: bool) -> None:
    """Print items; `none` is said where there are none."""
    found = list(items)
    if as_json:
        print_json([item.to_dict() for item in found])
    elif not found:
        tell(none)
    else:
        _print_table(list(columns), [[cell(read(item)) for read in columns.values()] for item in found])


def show_one(item: Item, facts: Columns[Item], *, as_json: bool) -> None:
    """Print one item."""
    if as_json:
        print_json(item.to_dict())
        return
    width = max(map(len, facts))
    for name, read in facts.items():
        typer.echo(f"{name:<{width}}  {cell(read(item))}")


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def tell(text: str) -> None:
    """Say something that is no result, where it is in no program's way."""
    typer.echo(text, err=True)


def cell(value: object) -> str:
    """Return a value as people read it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head == "ID")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(table)
