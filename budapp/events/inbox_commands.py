"""Inspect events from other services that could not be handled."""

from collections.abc import Iterator, Sequence
from typing import Annotated
from uuid import UUID

import typer

from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.events import dead_letters
from budapp.events.models import InboxMessage

app = typer.Typer(no_args_is_help=True, help=__doc__)

_SHOWN = ("id", "type", "source", "attempts", "dead_at", "next_attempt_at", "last_error", "payload")

Ids = Annotated[list[UUID], typer.Argument(help="Ids of events, as `list` shows them")]


@app.command("list")
def list_events(
    waiting: Annotated[bool, typer.Option("--waiting", help="Those to be tried again, not those set aside")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    payload: Annotated[bool, typer.Option("--payload", help="Show what the events say, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the events that were set aside, the last one first."""

    async def work(components: Components) -> Sequence[InboxMessage]:
        async with components[Database].read() as session:
            return await dead_letters.list_messages(session, InboxMessage, dead=not waiting, limit=limit)

    rows = run_with(work)
    hidden = set() if payload else {"payload"}
    found = [{name: getattr(row, name) for name in _SHOWN if name not in hidden} for row in rows]
    show(found, _lines(rows, payload=payload), as_json=as_json)


def _lines(rows: Sequence[InboxMessage], *, payload: bool) -> Iterator[str]:
    for row in rows:
        when = f"set aside {row.dead_at:%Y-%m-%d %H:%M}" if row.dead_at else f"next {row.next_attempt_at:%H:%M:%S}"
        yield f"{row.id}  {row.type} from {row.source or 'nobody'}  {row.attempts} attempts, {when} UTC"
        yield f"    {row.last_error}"
        if payload:
            yield f"    {row.payload}"
    yield f"Events: {len(rows)}"


@app.command()
def revive(
    ids: Annotated[list[UUID] | None, typer.Argument(help="Ids of events, as `list` shows them")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every event that was set aside")] = False,
    type: Annotated[str | None, typer.Option(help="Only events of this type")] = None,
    as_json: AsJson = False,
) -> None:
    """Have events that were set aside tried again, once their cause is gone."""
    if bool(ids) == bool(all_of_them or type):
        raise typer.BadParameter("name either ids, or --all or --type")

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.revive(session, InboxMessage, ids=ids or None, name=type)

    revived = run_with(work)
    show({"revived": revived}, [f"Events that will be tried again: {revived}"], as_json=as_json)


@app.command()
def discard(ids: Ids, as_json: AsJson = False) -> None:
    """Delete events that were set aside and are of no use any more."""

    async def work(components: Components) -> int:
        async with components[Database].write() as session:
            return await dead_letters.discard(session, InboxMessage, ids=ids)

    deleted = run_with(work)
    show({"deleted": deleted}, [f"Events deleted: {deleted}"], as_json=as_json)
