"""Inspect events from other services that could not be handled."""

from typing import Annotated
from uuid import UUID

import typer

from budapp.commons.commands import run_with
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.events import dead_letters
from budapp.events.models import InboxMessage

app = typer.Typer(no_args_is_help=True, help=__doc__)

Ids = Annotated[list[UUID], typer.Argument(help="Ids of events, as `list` shows them")]


@app.command("list")
def list_events(
    waiting: Annotated[bool, typer.Option("--waiting", help="Those to be tried again, not those set aside")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    payload: Annotated[bool, typer.Option("--payload", help="Show what the events say, too")] = False,
) -> None:
    """Show the events that were set aside, the last one first."""

    async def work(components: Components) -> None:
        async with components[Database].read() as session:
            rows = await dead_letters.list_messages(session, InboxMessage, dead=not waiting, limit=limit)
        for row in rows:
            when = f"set aside {row.dead_at:%Y-%m-%d %H:%M}" if row.dead_at else f"next {row.next_attempt_at:%H:%M:%S}"
            typer.echo(f"{row.id}  {row.type} from {row.source or 'nobody'}  {row.attempts} attempts, {when} UTC")
            typer.echo(f"    {row.last_error}")
            if payload:
                typer.echo(f"    {row.payload}")
        typer.echo(f"Events: {len(rows)}")

    run_with(work)


@app.command()
def revive(
    ids: Annotated[list[UUID] | None, typer.Argument(help="Ids of events, as `list` shows them")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every event that was set aside")] = False,
    type: Annotated[str | None, typer.Option(help="Only events of this type")] = None,
) -> None:
    """Have events that were set aside tried again, once their cause is gone."""
    if bool(ids) == bool(all_of_them or type):
        raise typer.BadParameter("name either ids, or --all or --type")

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.revive(session, InboxMessage, ids=ids or None, name=type)

    typer.echo(f"Events that will be tried again: {run_with(work)}")


@app.command()
def discard(ids: Ids) -> None:
    """Delete events that were set aside and are of no use any more."""

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.discard(session, InboxMessage, ids=ids)

    typer.echo(f"Events deleted: {run_with(work)}")
