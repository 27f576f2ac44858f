"""Manage the catalogue of preset probes."""

from typing import Annotated, Any

import typer

from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.guardrail_ops.catalog import SyncReport, read_catalog, sync_from
from budapp.integrations.outgoing import Outgoing

app = typer.Typer(no_args_is_help=True, help=__doc__)

Source = Annotated[str | None, typer.Option(help="URL or file; GUARDRAIL_CATALOG_URL by default")]


@app.command()
def sync(source: Source = None, as_json: AsJson = False) -> None:
    """Bring the preset probes up to date, and print what has changed."""

    async def work(components: Components) -> SyncReport:
        wanted = source or components[Settings].guardrail_catalog_url
        return await sync_from(components[Database], components[Outgoing], wanted)

    report = run_with(work)
    show(report, (f"{name}: {value}" for name, value in report), as_json=as_json)


@app.command()
def check(source: Source = None, as_json: AsJson = False) -> None:
    """Check a catalogue: print what it holds, or where the mistake is; change nothing."""

    async def work(components: Components) -> dict[str, Any]:
        found = await read_catalog(source or components[Settings].guardrail_catalog_url, components[Outgoing])
        rules = sum(len(probe.rules) for probe in found.probes)
        return {"version": found.version, "probes": len(found.probes), "rules": rules}

    found = run_with(work)
    show(found, ["Version {version}: {probes} probes, {rules} rules".format_map(found)], as_json=as_json)
