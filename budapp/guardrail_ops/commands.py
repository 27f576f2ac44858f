"""Manage the catalogue of preset probes."""

from typing import Annotated

import typer

from budapp.commons.commands import run_with
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.guardrail_ops.catalog import SyncReport, read_catalog, sync_from
from budapp.integrations.outgoing import Outgoing

app = typer.Typer(no_args_is_help=True, help=__doc__)

Source = Annotated[str | None, typer.Option(help="URL or file; GUARDRAIL_CATALOG_URL by default")]


@app.command()
def sync(source: Source = None) -> None:
    """Bring the preset probes up to date, and print what has changed."""

    async def work(components: Components) -> SyncReport:
        wanted = source or components[Settings].guardrail_catalog_url
        return await sync_from(components[Database], components[Outgoing], wanted)

    typer.echo(run_with(work).model_dump_json(indent=2))


@app.command()
def check(source: Source = None) -> None:
    """Check a catalogue: print what it holds, or where the mistake is; change nothing."""

    async def work(components: Components) -> str:
        found = await read_catalog(source or components[Settings].guardrail_catalog_url, components[Outgoing])
        rules = sum(len(probe.rules) for probe in found.probes)
        return f"Version {found.version}: {len(found.probes)} probes, {rules} rules"

    typer.echo(run_with(work))
