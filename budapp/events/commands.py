"""Inspect messages to other services: pending ones and dead letters."""

from typing import Annotated
from uuid import UUID

import typer

from budapp.commons.commands import run_with
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.events import dead_letters
from budapp.events.models import OutboxMessage

app = typer.Typer(no_args_is_help=True, help=__doc__)

Ids = Annotated[list[UUID], typer.Argument(help="Message ids, as printed by `list`")]


@app.command("list")
def list_messages(
    waiting: Annotated[bool, typer.Option("--waiting", help="List pending messages instead of dead letters")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50,
) -> None:
    """List dead letters, newest first."""

    async def work(components: Components) -> None:
        async with components[Database].read() as session:
            rows = await dead_letters.list_messages(session, OutboxMessage, dead=not waiting, limit=limit)
        for row in rows:
            to = f"{row.target}/{row.path}" if row.path else row.target
            when = f"given up {row.dead_at:%Y-%m-%d %H:%M}" if row.dead_at else f"next {row.next_attempt_at:%H:%M:%S}"
            typer.echo(f"{row.id}  {row.kind} {to}  {row.aggregate}  {row.attempts} attempts, {when} UTC")
            if row.last_error:
                typer.echo(f"    {row.last_error}")
        typer.echo(f"Messages: {len(rows)}")

    run_with(work)


@app.command()
def revive(
    ids: Annotated[list[UUID] | None, typer.Argument(help="Message ids, as printed by `list`")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All dead letters")] = False,
    target: Annotated[str | None, typer.Option(help="Only messages for this app or topic")] = None,
) -> None:
    """Retry dead letters once their cause is gone."""
    if bool(ids) == bool(all_of_them or target):
        raise typer.BadParameter("give either ids, or --all or --target")

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.revive(session, OutboxMessage, ids=ids or None, name=target)

    typer.echo(f"Messages that will be tried again: {run_with(work)}")


@app.command()
def discard(ids: Ids) -> None:
    """Delete dead letters that are no longer needed."""

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.discard(session, OutboxMessage, ids=ids)

    typer.echo(f"Messages deleted: {run_with(work)}")
