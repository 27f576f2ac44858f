"""Inspect messages to other services: pending ones and dead letters."""

from collections.abc import Iterator, Sequence
from typing import Annotated
from uuid import UUID

import typer

from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.events import dead_letters
from budapp.events.models import OutboxMessage

app = typer.Typer(no_args_is_help=True, help=__doc__)

_SHOWN = ("id", "kind", "target", "path", "aggregate", "attempts", "dead_at", "next_attempt_at", "last_error")

Ids = Annotated[list[UUID], typer.Argument(help="Message ids, as printed by `list`")]


@app.command("list")
def list_messages(
    waiting: Annotated[bool, typer.Option("--waiting", help="List pending messages instead of dead letters")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""

    async def work(components: Components) -> Sequence[OutboxMessage]:
        async with components[Database].read() as session:
            return await dead_letters.list_messages(session, OutboxMessage, dead=not waiting, limit=limit)

    rows = run_with(work)

    found = [{name: getattr(row, name) for name in _SHOWN} for row in rows]
    show(found, _lines(rows), as_json=as_json)


def _lines(rows: Sequence[OutboxMessage]) -> Iterator[str]:
    for row in rows:
        to = f"{row.target}/{row.path}" if row.path else row.target
        when = f"given up {row.dead_at:%Y-%m-%d %H:%M}" if row.dead_at else f"next {row.next_attempt_at:%H:%M:%S}"
        yield f"{row.id}  {row.kind} {to}  {row.aggregate}  {row.attempts} attempts, {when} UTC"
        if row.last_error:
            yield f"    {row.last_error}"
    yield f"Messages: {len(rows)}"


@app.command()
def revive(
    ids: Annotated[list[UUID] | None, typer.Argument(help="Message ids, as printed by `list`")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All dead letters")] = False,
    target: Annotated[str | None, typer.Option(help="Only messages for this app or topic")] = None,
    as_json: AsJson = False,
) -> None:
    """Retry dead letters once their cause is gone."""
    if bool(ids) == bool(all_of_them or target):
        raise typer.BadParameter("give either ids, or --all or --target")

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.revive(session, OutboxMessage, ids=ids or None, name=target)

    revived = run_with(work)
    show({"revived": revived}, [f"Messages that will be tried again: {revived}"], as_json=as_json)


@app.command()
def discard(ids: Ids, as_json: AsJson = False) -> None:
    """Delete dead letters that are no longer needed."""

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.discard(session, OutboxMessage, ids=ids)

    deleted = run_with(work)
    show({"deleted": deleted}, [f"Messages deleted: {deleted}"], as_json=as_json)
