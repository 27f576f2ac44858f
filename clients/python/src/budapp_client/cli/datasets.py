"""Datasets."""

from itertools import islice
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from budapp_client.cli.access import Access
from budapp_client.cli.names import project_id
from budapp_client.cli.output import Columns, Json, Limit, show_list, show_one
from budapp_client.cli.progress import sending
from budapp_client.connection import Budapp, answer
from budapp_client.datasets import upload, wait_until_checked
from budapp_client.paging import each
from budapp_client.rest.api.datasets import datasets_create, datasets_list
from budapp_client.rest.models import DatasetCreate, DatasetSummary, FileView
from budapp_client.rest.types import UNSET

app = typer.Typer(no_args_is_help=True, help="List datasets, and upload files to them.")

_COLUMNS: Columns[DatasetSummary] = {
    "ID": lambda dataset: dataset.id,
    "NAME": lambda dataset: dataset.name,
    "VERSION": lambda dataset: dataset.latest_version,
    "BYTES": lambda dataset: dataset.size,
    "CREATED": lambda dataset: dataset.created_at,
}
_FACTS: Columns[FileView] = {
    "File": lambda file: file.file_name,
    "Split": lambda file: file.split,
    "Bytes": lambda file: file.size,
    "Rows": lambda file: file.row_count,
    "Status": lambda file: file.status,
}


@app.command("list")
def list_datasets(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="Only those of this project, by name or id.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List datasets, the newest first."""
    access: Access = context.obj
    with access.connect() as api:
        found = each(
            datasets_list.sync,
            lambda page: page.datasets,
            client=api,
            limit=min(limit, 100),
            project_id=project_id(api, project) if project else UNSET,
        )
        show_list(islice(found, limit), _COLUMNS, "No datasets", as_json=as_json)


@app.command("upload")
def upload_file(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, JSON lines or Parquet.")
    ],
    project: Annotated[str, typer.Option(help="Name or id.")],
    dataset: Annotated[str, typer.Option(help="Its name; it is made where the project has none such.")],
    split: Annotated[str, typer.Option(help="What the rows are for.")] = "train",
    wait: Annotated[bool, typer.Option(help="Wait until the file is checked.")] = True,
    as_json: Json = False,
) -> None:
    """Upload a file as a new version of a dataset."""
    access: Access = context.obj
    with access.connect() as api:
        dataset_id = _dataset(api, project_id(api, project), dataset)
        with sending(file.name) as on_sent:
            sent = upload(api, dataset_id, file, split, on_sent=on_sent)
        found = wait_until_checked(api, dataset_id, sent.id) if wait else sent
        show_one(found, _FACTS, as_json=as_json)


def _dataset(api: Budapp, project: UUID, name: str) -> UUID:
    listed = each(
        datasets_list.sync, lambda page: page.datasets, client=api, project_id=project, search=True, name=name
    )
    for found in listed:
        if found.name == name:
            return found.id
    body = DatasetCreate(project_id=project, name=name)
    return answer(datasets_create.sync(client=api, body=body)).dataset.id
