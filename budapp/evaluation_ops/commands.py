"""Manage the datasets that models are evaluated with."""

from typing import Annotated, Any

import typer

from budapp.commons.commands import AsJson, run_with, show
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
def sync(source: Source = None, force: Force = False, as_json: AsJson = False) -> None:
    """Bring traits and datasets up to date with the manifest, and print what has changed."""

    async def work(components: Components) -> SyncReport:
        return await components[EvaluationData].sync(source, force=force)

    report = run_with(work)
    show(report, (f"{name}: {value}" for name, value in report), as_json=as_json)


@app.command()
def check(source: Source = None, as_json: AsJson = False) -> None:
    """Check a manifest: print what it holds, or where the mistake is; change nothing."""

    async def work(components: Components) -> dict[str, Any]:
        found = await read_manifest(source or components[Settings].eval_manifest_url, components[Outgoing])
        manifest = found.manifest
        return {
            "version": manifest.version,
            "traits": len(manifest.traits),
            "datasets": len(manifest.datasets),
        }

    found = run_with(work)
    show(found, ["Version {version}: {traits} traits, {datasets} datasets".format_map(found)], as_json=as_json)
