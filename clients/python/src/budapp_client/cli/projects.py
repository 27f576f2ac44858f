"""Projects."""

from itertools import islice
from typing import Annotated

import typer

from budapp_client.cli.access import Access
from budapp_client.cli.names import project_id
from budapp_client.cli.output import Columns, Json, Limit, show_list, show_one
from budapp_client.connection import answer
from budapp_client.paging import each
from budapp_client.rest.api.projects import projects_create, projects_get, projects_list
from budapp_client.rest.models import ProjectCreate, ProjectSummary, ProjectView
from budapp_client.rest.types import UNSET

app = typer.Typer(no_args_is_help=True, help="List, show and create projects.")

_COLUMNS: Columns[ProjectSummary] = {
    "ID": lambda listed: listed.project.id,
    "NAME": lambda listed: listed.project.name,
    "MEMBERS": lambda listed: listed.users_count,
    "DEPLOYMENTS": lambda listed: listed.endpoints_count,
    "KEYS": lambda listed: listed.credentials_count,
    "CREATED": lambda listed: listed.project.created_at,
}
_FACTS: Columns[ProjectView] = {
    "ID": lambda project: project.id,
    "Name": lambda project: project.name,
    "Description": lambda project: project.description,
    "Created": lambda project: project.created_at,
}


@app.command("list")
def list_projects(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="Only those whose name contains this.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List the projects that you may see."""
    access: Access = context.obj
    with access.connect() as api:
        found = each(
            projects_list.sync,
            lambda page: page.projects,
            client=api,
            limit=min(limit, 100),
            search=name is not None,
            name=name or UNSET,
        )
        show_list(islice(found, limit), _COLUMNS, "No projects", as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="Name or id.")],
    as_json: Json = False,
) -> None:
    """Show a project."""
    access: Access = context.obj
    with access.connect() as api:
        found = answer(projects_get.sync(project_id(api, project), client=api)).project
        show_one(found, _FACTS, as_json=as_json)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is called; nothing else of yours may be called so.")],
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    as_json: Json = False,
) -> None:
    """Create a project, whose first member you are."""
    access: Access = context.obj
    with access.connect() as api:
        body = ProjectCreate(name=name, description=description or UNSET)
        show_one(answer(projects_create.sync(client=api, body=body)).project, _FACTS, as_json=as_json)
