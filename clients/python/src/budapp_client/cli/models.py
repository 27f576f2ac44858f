"""Models."""

from itertools import islice
from typing import Annotated

import typer

from budapp_client.cli.access import Access
from budapp_client.cli.output import Columns, Json, Limit, show_list
from budapp_client.paging import each
from budapp_client.rest.api.models import models_list
from budapp_client.rest.models import ModelListed
from budapp_client.rest.types import UNSET

app = typer.Typer(no_args_is_help=True, help="List the models of the repository, and what clouds offer.")

_COLUMNS: Columns[ModelListed] = {
    "ID": lambda listed: listed.id,
    "NAME": lambda listed: listed.name,
    "SOURCE": lambda listed: listed.model.source,
    "KIND": lambda listed: listed.model.provider_type,
    "AUTHOR": lambda listed: listed.model.author,
    "DEPLOYMENTS": lambda listed: listed.endpoints_count,
}


@app.callback()
def models() -> None:
    """List the models of the repository, and what clouds offer."""


@app.command("list")
def list_models(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="Only those whose name contains this.")] = None,
    cloud: Annotated[bool, typer.Option("--cloud", help="What clouds offer, in place of the repository.")] = False,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List models."""
    access: Access = context.obj
    with access.connect() as api:
        found = each(
            models_list.sync,
            lambda page: page.models,
            client=api,
            limit=min(limit, 100),
            table_source="cloud_model" if cloud else "model",
            search=name is not None,
            name=name or UNSET,
        )
        show_list(islice(found, limit), _COLUMNS, "No models", as_json=as_json)
