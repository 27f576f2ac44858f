"""Manage the datasets that models are evaluated with."""

from typing import Annotated

import typer

from budapp.commons.commands import run_with
from budapp.commons.config import Settings
from budapp.commons.domain import Components
from budapp.evaluation_ops.manifest import read_manifest
from budapp.evaluation_ops.services import EvaluationData
from budapp.evaluation_ops.sync import SyncReport
from budapp.integrations.outgoing import Outgoing

app = typer.Typer(no_args_is_help=True, help=__doc__)

Source = Annotated[str | None, typer.Option(help="URL or file; EVAL_MANIFEST_URL by default")]
Force = Annotated[bool, typer.Option("--force", help="Go through everything, even if the manifest has not changed")]


@app.command()
def sync(source: Source = None, force: Force = False) -> None:
    """Bring traits and datasets up to date with the manifest, and print what has changed."""

    async def work(components: Components) -> SyncReport:
        return await components[EvaluationData].sync(source, force=force)

    typer.echo(run_with(work).model_dump_json(indent=2))


@app.command()
def check(source: Source = None) -> None:
    """Check a manifest: print what it holds, or where the mistake is; change nothing."""

    async def work(components: Components) -> str:
        found = await read_manifest(source or components[Settings].eval_manifest_url, components[Outgoing])
        manifest = found.manifest
        return f"Version {manifest.version}: {len(manifest.traits)} traits, {len(manifest.datasets)} datasets"

    typer.echo(run_with(work))
