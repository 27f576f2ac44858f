"""Deployments, and the workflows that bring them up."""

from itertools import islice
from typing import Annotated
from uuid import UUID

import typer

from budapp_client.cli.access import Access
from budapp_client.cli.names import model_id, project_id
from budapp_client.cli.output import Columns, Json, Limit, show_list, show_one, tell
from budapp_client.cli.progress import steps_shown
from budapp_client.connection import Budapp, answer
from budapp_client.deployments import deploy as begin
from budapp_client.paging import each
from budapp_client.rest.api.endpoints import endpoints_list
from budapp_client.rest.api.workflows import workflows_get
from budapp_client.rest.models import DeployConfigPost, EndpointView, WorkflowRetrieved
from budapp_client.rest.types import UNSET
from budapp_client.workflows import wait_for

app = typer.Typer()
group = typer.Typer(no_args_is_help=True, help="List deployments.")
app.add_typer(group, name="deployments")

_COLUMNS: Columns[EndpointView] = {
    "ID": lambda deployment: deployment.id,
    "NAME": lambda deployment: deployment.name,
    "MODEL": lambda deployment: deployment.model_name,
    "STATUS": lambda deployment: deployment.status,
    "WORKERS": lambda deployment: f"{deployment.active_workers}/{deployment.total_workers}",
    "PUBLISHED": lambda deployment: deployment.is_published,
    "ADDRESS": lambda deployment: deployment.url,
}
_FACTS: Columns[WorkflowRetrieved] = {
    "Workflow": lambda workflow: workflow.workflow_id,
    "Type": lambda workflow: workflow.workflow_type,
    "Status": lambda workflow: workflow.status,
}

Seconds = Annotated[float | None, typer.Option("--timeout", min=0, help="Give up waiting after so many seconds.")]


@group.callback()
def deployments() -> None:
    """List deployments."""


@group.command("list")
def list_deployments(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="Only those of this project, by name or id.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List deployments, the newest first."""
    access: Access = context.obj
    with access.connect() as api:
        found = each(
            endpoints_list.sync,
            lambda page: page.endpoints,
            client=api,
            limit=min(limit, 100),
            project_id=project_id(api, project) if project else UNSET,
        )
        show_list(islice(found, limit), _COLUMNS, "No deployments", as_json=as_json)


@app.command()
def deploy(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name or id of a model in the repository.")],
    project: Annotated[str, typer.Option(help="Name or id.")],
    name: Annotated[str, typer.Option(help="What the deployment is called, as callers name it.")],
    cluster: Annotated[str | None, typer.Option(help="Name or id (default: the best for the load).")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at the same time.")] = 10,
    input_tokens: Annotated[int, typer.Option(min=0, help="Tokens of a request, on average.")] = 1024,
    output_tokens: Annotated[int, typer.Option(min=0, help="Tokens of an answer, on average.")] = 128,
    credential: Annotated[
        UUID | None, typer.Option(help="Id of the provider's credential, for a cloud's model.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Watch until it runs.")] = True,
    seconds: Seconds = None,
    as_json: Json = False,
) -> None:
    """Deploy a model, and watch it come up."""
    access: Access = context.obj
    load = DeployConfigPost(
        concurrent_requests=concurrency,
        avg_sequence_length=output_tokens,
        avg_context_length=input_tokens,
        per_session_tokens_per_sec=[5, 20],
        ttft=[500, 2000],
        e2e_latency=[5, 30],
    )
    with access.connect() as api:
        chosen = (project_id(api, project), model_id(api, model))
        with steps_shown(quiet=as_json) as on_progress:
            workflow_id = begin(api, *chosen, name, load, cluster, credential, on_progress)
        if not wait:
            tell(f"Watch it with: budctl watch {workflow_id}")
        _finish(api, workflow_id, wait=wait, seconds=seconds, as_json=as_json)


@app.command()
def watch(
    context: typer.Context,
    workflow: Annotated[UUID, typer.Argument(help="The workflow's id.")],
    seconds: Seconds = None,
    as_json: Json = False,
) -> None:
    """Watch a workflow until it is over."""
    access: Access = context.obj
    with access.connect() as api:
        _finish(api, workflow, wait=True, seconds=seconds, as_json=as_json)


def _finish(api: Budapp, workflow_id: UUID, *, wait: bool, seconds: float | None, as_json: bool) -> None:
    if wait:
        with steps_shown(quiet=as_json) as on_progress:
            found = wait_for(api, workflow_id, on_progress, seconds)
    else:
        found = answer(workflows_get.sync(workflow_id, client=api))
    show_one(found, _FACTS, as_json=as_json)
