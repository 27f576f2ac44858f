"""Messages to other services that wait, or were given up."""

from typing import Annotated
from uuid import UUID

import typer

from budapp.commons.commands import run_with
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.events import dead_letters

app = typer.Typer(no_args_is_help=True, help=__doc__)

Ids = Annotated[list[UUID], typer.Argument(help="Ids of messages, as `list` shows them")]


@app.command("list")
def list_messages(
    waiting: Annotated[bool, typer.Option("--waiting", help="Those that wait, instead of those given up")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50,
) -> None:
    """Show the messages that were given up, the last one first."""

    async def work(components: Components) -> None:
        async with components[Database].read() as session:
            rows = await dead_letters.list_messages(session, dead=not waiting, limit=limit)
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
    ids: Annotated[list[UUID] | None, typer.Argument(help="Ids of messages, as `list` shows them")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every message that was given up")] = False,
    target: Annotated[str | None, typer.Option(help="Only those for this app or topic")] = None,
) -> None:
    """Have messages that were given up tried again, once their cause is gone."""
    if bool(ids) == bool(all_of_them or target):
        raise typer.BadParameter("name either ids, or --all or --target")

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.revive(session, ids=ids or None, target=target)

    typer.echo(f"Messages that will be tried again: {run_with(work)}")


@app.command()
def discard(ids: Ids) -> None:
    """Delete messages that were given up and are of no use any more."""

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.discard(session, ids=ids)

    typer.echo(f"Messages deleted: {run_with(work)}")
