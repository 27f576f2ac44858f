"""The catalogue of models that clouds offer."""

from typing import Annotated

import typer
from fastapi import FastAPI

from budapp.cli_application import with_application
from budapp.model_ops.cloud_catalogue import SyncReport, read_catalogue, sync_from

app = typer.Typer(no_args_is_help=True, help=__doc__)

Source = Annotated[str | None, typer.Option(help="An address or a file; CATALOGUE_SOURCE where absent")]


@app.command()
def sync(source: Source = None) -> None:
    """Bring the catalogue up to date now, and say what has changed."""

    async def work(application: FastAPI) -> SyncReport:
        state = application.state
        return await sync_from(state.database, source or state.settings.catalogue_source)

    typer.echo(with_application(work).model_dump_json(indent=2))


@app.command()
def check(source: Source = None) -> None:
    """Read a catalogue and say what it offers, or where the mistake is; nothing is changed."""

    async def work(application: FastAPI) -> str:
        found = await read_catalogue(source or application.state.settings.catalogue_source)
        return f"Providers: {len(found)}, models: {sum(len(provider.models) for provider in found)}"

    typer.echo(with_application(work))
