"""Manage the catalog of cloud models."""

from typing import Annotated

import typer

from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.integrations.outgoing import Outgoing
from budapp.provider_ops.catalog import SyncReport, read_catalog, sync_from

app = typer.Typer(no_args_is_help=True, help=__doc__)

Source = Annotated[str | None, typer.Option(help="URL or file; CATALOG_SOURCE by default")]


@app.command()
def sync(source: Source = None, as_json: AsJson = False) -> None:
    """Synchronize the catalog now, and print what has changed."""

    async def work(components: Components) -> SyncReport:
        return await sync_from(
            components[Database], components[Outgoing], source or components[Settings].catalog_source
        )

    report = run_with(work)
    show(report, (f"{name}: {value}" for name, value in report), as_json=as_json)


@app.command()
def check(source: Source = None, as_json: AsJson = False) -> None:
    """Check a catalog: print what it offers, or where the mistake is; change nothing."""

    async def work(components: Components) -> dict[str, int]:
        found = await read_catalog(source or components[Settings].catalog_source, components[Outgoing])
        return {"providers": len(found), "models": sum(len(provider.models) for provider in found)}

    found = run_with(work)
    show(found, ["Providers: {providers}, models: {models}".format_map(found)], as_json=as_json)
