"""How a deployment goes: budcluster deletes it; one that a provider's cloud runs is gone at once."""

from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.hooks import hooks_of
from budapp.commons.scopes import Scope
from budapp.deployment_ops import hooks
from budapp.deployment_ops.schemas import EndpointDeletionPost
from budapp.deployment_ops.services import name_objects
from budapp.deployment_ops.step_views import DeploySteps
from budapp.endpoint_ops import lifecycle
from budapp.endpoint_ops.access import changeable_endpoint
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.integrations import budcluster_deployments
from budapp.integrations.budcluster_deployments import DELETION_STEPS
from budapp.integrations.peers import PeerCall
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    endpoint = await changeable_endpoint(session, caller, UUID(run.data["endpoint_id"]), for_update=True)
    if endpoint.status == EndpointStatus.DELETING:
        raise BadRequest("Deployment is already deleting")
    for check in hooks_of(session).all(hooks.before_deletion):
        await check(session, endpoint.id)
    run.workflow.title = endpoint.name
    run.keep(previous_status=endpoint.status, project_id=str(endpoint.project_id))
    endpoint.status = EndpointStatus.DELETING


async def _locked(session: WriteSession, run: Run) -> Endpoint | None:
    return await lifecycle.lock(session, run.workflow.tenant_id, UUID(run.data["endpoint_id"]))


async def _ask_to_delete(session: ReadSession, run: Run) -> PeerCall | None:
    endpoint = await lifecycle.find(session, run.workflow.tenant_id, UUID(run.data["endpoint_id"]))
    if endpoint is None:
        raise NotFound("Endpoint not found", param="endpoint_id")
    if endpoint.bud_cluster_id is None:
        return None
    return budcluster_deployments.delete_deployment(endpoint.bud_cluster_id, endpoint.namespace)


async def _mark_deleted(session: WriteSession, run: Run, _result: Any) -> Outcome:
    endpoint = await _locked(session, run)
    if endpoint is None:
        return Outcome()
    endpoint.status = EndpointStatus.DELETED
    endpoint.active_replicas = 0
    await session.flush()
    for tell in hooks_of(session).all(hooks.after_deletion):
        await tell(session, endpoint.id)
    target = ("project", endpoint.project_id)
    notice = Notice("deployment_deletion_success", endpoint.name, "Deployment Deleted", target)  # type: ignore[arg-type]
    return Outcome((), notice, {"endpoint_id": str(endpoint.id)})


async def _deleted_after_all(session: WriteSession, run: Run, result: Any) -> None:
    """What budcluster has deleted is gone, whether or not somebody still waits for it."""
    await _mark_deleted(session, run, result)


async def _not_deleted(session: WriteSession, run: Run) -> None:
    """Put the endpoint back to what it was; budcluster's next status event tells how it really is."""
    endpoint = await _locked(session, run)
    if endpoint is not None and endpoint.status == EndpointStatus.DELETING:
        endpoint.status = run.data.get("previous_status", EndpointStatus.UNHEALTHY)


DELETION = Definition(
    type="endpoint_deletion",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    title="Deployment Deletion",
    tag=None,
    cancelled="Successfully cancelled deployment deletion.",
    refusal="Failed to delete endpoint",
    keeps_draft=False,
    fields=EndpointDeletionPost.step_fields(),
    shows=DeploySteps,
    unshown=("endpoint_id", "previous_status", "project_id"),
    name_objects=name_objects,
    check=_check,
    abandoned=_not_deleted,
    tasks=(
        Task(
            needs=("endpoint_id",),
            request=_ask_to_delete,
            results=_mark_deleted,
            undo=_deleted_after_all,
            events=Events(
                key="delete_endpoint_events",
                type="delete_deployment",
                shown_as="endpoint_deletion",
                steps=DELETION_STEPS,
                in_same_step=True,
            ),
        ),
    ),
)
