"""How workers come and go: budsim finds room for more on the deployment's cluster; budcluster adds and deletes them."""

from typing import Any
from uuid import UUID

from budapp.cluster_ops.simulation import simulation_events
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.scopes import Scope
from budapp.deployment_ops.services import name_objects
from budapp.deployment_ops.simulation import KEPT, ask_for_clusters, context_length, keep_clusters, targets_of
from budapp.deployment_ops.step_views import DeploySteps
from budapp.endpoint_ops import lifecycle
from budapp.endpoint_ops.access import changeable_endpoint
from budapp.endpoint_ops.models import Endpoint
from budapp.integrations import budcluster, budcluster_deployments
from budapp.integrations.budcluster_deployments import (
    DEPLOYMENT_STEPS,
    RUNNING,
    WORKER_DELETION_STEPS,
    AddedWorkers,
    WorkersLeft,
)
from budapp.integrations.peers import Json, PeerCall
from budapp.model_ops import services as models
from budapp.model_ops.models import Model
from budapp.worker_ops.schemas import AddWorkerPost, WorkerDeletionPost
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task

_LOAD = ("concurrent_requests", "avg_sequence_length", "avg_context_length")
_RANGES = ("ttft", "per_session_tokens_per_sec", "e2e_latency")


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    if not run.data.get("endpoint_id"):
        raise BadRequest("Name the endpoint first", param="endpoint_id")
    endpoint = await changeable_endpoint(session, caller, UUID(run.data["endpoint_id"]), on_cluster=True)
    run.workflow.title = endpoint.name
    if run.posted.get("additional_concurrency"):
        run.keep(deploy_config=_load(endpoint, run.posted["additional_concurrency"]), model_id=str(endpoint.model_id))
    if run.posted.get("endpoint_id"):
        run.keep(project_id=str(endpoint.project_id))


def _load(endpoint: Endpoint, more: int) -> Json:
    """Return the load that the new workers are for: like the deployment's own, with so many requests at once."""
    own = endpoint.deployment_config or {}
    if any(own.get(name) is None for name in _LOAD):
        raise BadRequest("It is not known which load the deployment was made for", param="endpoint_id")
    return {name: own[name] for name in (*_LOAD, *_RANGES) if own.get(name) is not None} | {"concurrent_requests": more}


async def _endpoint(session: ReadSession, run: Run) -> Endpoint:
    endpoint = await lifecycle.find(session, run.workflow.tenant_id, UUID(run.data["endpoint_id"]))
    if endpoint is None:
        raise NotFound("The endpoint was deleted in the meantime", param="endpoint_id")
    return endpoint


async def _deployed(session: ReadSession, run: Run) -> tuple[Endpoint, Model]:
    endpoint = await _endpoint(session, run)
    model = await models.find_model(session, run.workflow.tenant_id, endpoint.model_id)
    if model is None:
        raise NotFound("The model was deleted in the meantime", param="endpoint_id")
    return endpoint, model


def _says_concurrency(posted: Json, triggered: bool) -> bool:
    return "additional_concurrency" in posted and not triggered


async def _ask_for_room(session: ReadSession, run: Run) -> PeerCall:
    endpoint, model = await _deployed(session, run)
    hardware = (endpoint.deployment_config or {}).get("hardware_mode")
    return ask_for_clusters(model, run.data["deploy_config"], hardware, endpoint.bud_cluster_id)


async def _ask_for_workers(session: ReadSession, run: Run) -> PeerCall:
    endpoint, model = await _deployed(session, run)
    config = run.data["deploy_config"]
    return budcluster_deployments.deploy(
        cluster_id=str(endpoint.bud_cluster_id),
        simulator_id=run.data["simulator_id"],
        existing_deployment_namespace=endpoint.namespace,
        endpoint_name=endpoint.name,
        model=model.local_path,
        concurrency=run.data["additional_concurrency"],
        input_tokens=config["avg_context_length"],
        output_tokens=config["avg_sequence_length"],
        credential_id=str(endpoint.credential_id) if endpoint.credential_id else None,
        model_max_context_length=context_length(model),
        **{name: value or None for name, value in targets_of(config).items()},
    )


async def _locked(session: WriteSession, run: Run) -> Endpoint:
    endpoint = await lifecycle.lock(session, run.workflow.tenant_id, UUID(run.data["endpoint_id"]))
    if endpoint is None:
        raise NotFound("The endpoint was deleted in the meantime")
    return endpoint


async def _count_added(session: WriteSession, run: Run, result: Any) -> Outcome:
    added = AddedWorkers.model_validate(result)
    endpoint = await _locked(session, run)
    more = added.result.concurrency or run.data["additional_concurrency"]
    config = endpoint.deployment_config or {}
    endpoint.deployment_config = {**config, "concurrent_requests": config.get("concurrent_requests", 0) + more}
    status = added.deployment_status
    endpoint.total_replicas = status.replicas.total
    endpoint.active_replicas = min(status.active, endpoint.total_replicas)
    endpoint.node_list = list(dict.fromkeys([*(endpoint.node_list or []), *status.running_on]))
    endpoint.number_of_nodes = max(endpoint.number_of_nodes, len(endpoint.node_list))
    message = "Deployment successfully updated with additional concurrency"
    notice = Notice("deployment_success", endpoint.name, "Worker Added", ("endpoint", endpoint.id))
    return Outcome([{"workflow_execution_status": {"status": "success", "message": message}}], notice)


async def _check_deletion(session: WriteSession, caller: Caller, run: Run) -> None:
    endpoint = await changeable_endpoint(session, caller, UUID(run.data["endpoint_id"]), on_cluster=True)
    run.workflow.title = run.data["worker_name"]
    run.keep(project_id=str(endpoint.project_id))


async def _ask_to_delete(_session: ReadSession, run: Run) -> PeerCall:
    return budcluster_deployments.delete_worker(run.data["worker_id"])


async def _count_left(session: WriteSession, run: Run, result: Any) -> Outcome:
    left = WorkersLeft.model_validate(result or {}).worker_data_list
    endpoint = await _locked(session, run)
    config = endpoint.deployment_config or {}
    concurrent, total = config.get("concurrent_requests"), endpoint.total_replicas
    if isinstance(concurrent, int) and total:
        endpoint.deployment_config = {**config, "concurrent_requests": max(0, concurrent - round(concurrent / total))}
    endpoint.total_replicas = max(0, total - 1)
    if left is not None:
        endpoint.active_replicas = sum(worker.status == RUNNING for worker in left)
        endpoint.node_list = list(dict.fromkeys(worker.node_name for worker in left if worker.status == RUNNING))
    endpoint.active_replicas = min(endpoint.active_replicas, endpoint.total_replicas)
    target = ("project", endpoint.project_id)
    notice = Notice("deployment_deletion_success", run.data["worker_name"], "Worker Deleted", target)  # type: ignore[arg-type]
    return Outcome((), notice)


ADDITION = Definition(
    type="add_worker_to_endpoint",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    title="Adding workers",
    tag=None,
    cancelled="Successfully cancelled worker to deployment.",
    refusal="Unable to add workers",
    fields=AddWorkerPost.step_fields(),
    shows=DeploySteps,
    unshown=("endpoint_id", "project_id", KEPT),
    name_objects=name_objects,
    check=_check,
    tasks=(
        Task(
            name="simulation",
            begins=_says_concurrency,
            completes=False,
            needs=("endpoint_id", "deploy_config"),
            request=_ask_for_room,
            results=keep_clusters,
            events=simulation_events(),
        ),
        Task(
            name="addition",
            needs=("endpoint_id", "additional_concurrency", "deploy_config", "simulator_id"),
            request=_ask_for_workers,
            results=_count_added,
            cancel=budcluster.cancel_deployment,
            events=Events(key="budserve_cluster_events", type="add_worker", steps=DEPLOYMENT_STEPS),
        ),
    ),
)

DELETION = Definition(
    type="endpoint_worker_deletion",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    title="Worker deletion",
    tag=None,
    refusal="Failed to delete worker",
    keeps_draft=False,
    fields=WorkerDeletionPost.step_fields(),
    shows=DeploySteps,
    unshown=("endpoint_id", "worker_id", "worker_name", "project_id"),
    name_objects=name_objects,
    check=_check_deletion,
    tasks=(
        Task(
            needs=("endpoint_id", "worker_id", "worker_name"),
            request=_ask_to_delete,
            results=_count_left,
            events=Events(
                key="delete_worker_events", type="delete_worker", steps=WORKER_DELETION_STEPS, in_same_step=True
            ),
        ),
    ),
)
