"""How a model is deployed: a cloud's at once, one with files of its own where budsim has found a cluster for it."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.cluster_ops import services as clusters
from budapp.cluster_ops.simulation import simulation_events
from budapp.cluster_setting_ops import services as cluster_settings
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.scopes import Scope
from budapp.deployment_ops import crud
from budapp.deployment_ops.costs import cost_in_cloud, cost_on_cluster
from budapp.deployment_ops.schemas import DeployPost
from budapp.deployment_ops.services import name_objects, require_may_deploy, reserve_name
from budapp.deployment_ops.simulation import KEPT, ask_for_clusters, context_length, cost_on, keep_clusters, targets_of
from budapp.deployment_ops.step_views import DeploySteps
from budapp.endpoint_ops import lifecycle
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.events.outbox import enqueue_call
from budapp.integrations import budcluster, budcluster_deployments
from budapp.integrations.budcluster_deployments import DEPLOYMENT_STEPS, DeploymentResult
from budapp.integrations.peers import Json, PeerCall
from budapp.model_ops import services as models
from budapp.model_ops.models import Model
from budapp.provider_credential_ops import services as credentials
from budapp.provider_ops import services as providers
from budapp.provider_ops.models import ProviderType
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task

CLOUD_URL = "budproxy-service.svc.cluster.local"
"""Where the platform's gateway is, which speaks to the clouds."""

_ENGINE = (
    *("tool_calling_parser_type", "reasoning_parser_type", "chat_template", "enable_tool_calling"),
    *("enable_reasoning", "supports_lora", "supports_pipeline_parallelism"),
)


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    data, workflow = run.data, run.workflow
    project = await require_may_deploy(session, caller, data)
    workflow.tag = project.name if project else workflow.tag
    if data.get("model_id"):
        model = await _model(session, run)
        workflow.title, workflow.icon = model.name, model.icon
        if "model_id" in run.posted:
            run.keep(provider_type=model.provider_type)
    if data.get("template_id") and not await crud.template_exists(session, UUID(data["template_id"])):
        raise NotFound("Template not found", param="template_id")
    if data.get("credential_id"):
        await _check_credential(session, caller, run)
    if data.get("cluster_id") and not _in_cloud(data):
        await clusters.require_available(session, caller.tenant_id, UUID(data["cluster_id"]))
    if data.get("endpoint_name"):
        await _check_name(session, run)


async def _check_credential(session: ReadSession, caller: Caller, run: Run) -> None:
    credential_id = UUID(run.data["credential_id"])
    if _in_cloud(run.data):
        model = await _model(session, run)
        await credentials.require_credential(session, caller.tenant_id, credential_id, model.source)
    else:
        await credentials.get_credential(session, caller, credential_id)


async def _check_name(session: WriteSession, run: Run) -> None:
    workflow, name = run.workflow, run.data["endpoint_name"]
    workflow.title = name
    if run.triggered:
        await reserve_name(session, workflow.tenant_id, name, workflow.id)
    else:
        await lifecycle.check_name_free(session, workflow.tenant_id, name)


async def _model(session: ReadSession, run: Run) -> Model:
    model = await models.find_model(session, run.workflow.tenant_id, UUID(run.data["model_id"]))
    if model is None:
        raise NotFound("Model not found", param="model_id")
    if model.base_model_relation == "adapter":
        raise BadRequest("An adapter is added to a deployment of its base model", param="model_id")
    if model.provider_type != ProviderType.CLOUD_MODEL and not model.local_path:
        raise BadRequest("The model has no files", param="model_id")
    return model


def _in_cloud(data: Json) -> bool:
    return bool(data.get("provider_type") == ProviderType.CLOUD_MODEL)


def _on_cluster(data: Json) -> bool:
    return not _in_cloud(data)


def _needs_clusters(data: Json) -> bool:
    return bool(data.get("model_id")) and not _in_cloud(data)


def _says_load(posted: Json, triggered: bool) -> bool:
    return "deploy_config" in posted and "simulator_id" not in posted and not triggered


async def _ask_for_clusters(session: ReadSession, run: Run) -> PeerCall:
    return ask_for_clusters(await _model(session, run), run.data["deploy_config"], run.data.get("hardware_mode"))


async def _ask_to_deploy(session: ReadSession, run: Run) -> PeerCall:
    model, data = await _model(session, run), run.data
    config = data["deploy_config"]
    return budcluster_deployments.deploy(
        cluster_id=data["cluster_id"],
        simulator_id=data["simulator_id"],
        endpoint_name=data["endpoint_name"],
        model=model.local_path,
        model_size=model.model_size,
        storage_size_gb=model.storage_size_gb,
        concurrency=config["concurrent_requests"],
        input_tokens=config["avg_context_length"],
        output_tokens=config["avg_sequence_length"],
        credential_id=data.get("credential_id"),
        budaiscaler=data.get("budaiscaler_specification"),
        enable_tool_calling=data.get("enable_tool_calling"),
        enable_reasoning=data.get("enable_reasoning"),
        model_max_context_length=context_length(model),
        **await _storage(session, run),
        **{name: value or None for name, value in targets_of(config).items()},
    )


async def _storage(session: ReadSession, run: Run) -> Json:
    """Return how the cluster's deployments store their data, where that was set."""
    tenant_id = run.workflow.tenant_id
    cluster = await clusters.require_there(session, tenant_id, UUID(run.data["cluster_id"]))
    found = await cluster_settings.find_settings(session, tenant_id, cluster.id)
    return {name: getattr(found, name, None) for name in ("default_storage_class", "default_access_mode")}


async def _nobody_to_ask(session: ReadSession, run: Run) -> None:
    await _model(session, run)


async def _add_endpoint(session: WriteSession, run: Run, result: Any) -> Outcome:
    deployed = DeploymentResult.model_validate(result)
    model = await _model(session, run)
    cluster_id = UUID(run.data["cluster_id"])
    cluster = await clusters.require_there(session, run.workflow.tenant_id, cluster_id)
    endpoint = await _endpoint(session, run, model, deployed.supported_endpoints)
    status = deployed.deployment_status
    endpoint.url, endpoint.namespace = deployed.result.deployment_url, deployed.namespace
    endpoint.cluster_id, endpoint.bud_cluster_id = cluster.id, cluster_id
    endpoint.active_replicas, endpoint.total_replicas = status.active, status.replicas.total
    endpoint.number_of_nodes, endpoint.node_list = deployed.number_of_nodes, status.running_on
    endpoint.inference_cost = cost_on_cluster(cost_on(run.data, str(cluster_id)))
    endpoint.deployment_config = _deployment_config(run.data, deployed.deploy_config)
    await lifecycle.add(session, endpoint)
    notice = Notice("deployment_success", endpoint.name, "Deployment is Done", ("endpoint", endpoint.id), model.icon)
    step = {"endpoint_id": str(endpoint.id), "endpoint_details": {"result": result["result"]}}
    return Outcome([step], notice, _result(endpoint))


async def _add_cloud_endpoint(session: WriteSession, run: Run, _answer: Any) -> Outcome:
    model = await _model(session, run)
    credential_id = UUID(run.data["credential_id"])
    await credentials.require_credential(session, run.workflow.tenant_id, credential_id, model.source)
    endpoint = await _endpoint(session, run, model, [])
    endpoint.url, endpoint.namespace = CLOUD_URL, model.uri.removeprefix(f"{model.source}/")
    endpoint.active_replicas = endpoint.total_replicas = 1
    endpoint.inference_cost = cost_in_cloud(await providers.find_offer(session, model.source, model.uri))
    endpoint.deployment_config = _deployment_config(run.data, [])
    await lifecycle.add(session, endpoint)
    progress = {"status": "completed", "endpoint_id": str(endpoint.id), "endpoint_url": endpoint.url, "steps": []}
    progress["message"] = "The deployment is ready"
    run.workflow.progress = {**progress, "progress_type": "budserve_cluster_events"}
    return Outcome([{"budserve_cluster_events": progress, "endpoint_id": str(endpoint.id)}], None, _result(endpoint))


async def _endpoint(session: WriteSession, run: Run, model: Model, served: list[str]) -> Endpoint:
    """Return the row as far as it is the same for all."""
    workflow, data = run.workflow, run.data
    if await crud.lock_project(session, workflow.tenant_id, UUID(data["project_id"])) is None:
        raise NotFound("The project was deleted in the meantime", param="project_id")
    return Endpoint(
        id=uuid7(),
        tenant_id=workflow.tenant_id,
        created_by=workflow.created_by,
        name=data["endpoint_name"],
        project_id=UUID(data["project_id"]),
        model_id=model.id,
        credential_id=UUID(data["credential_id"]) if data.get("credential_id") else None,
        status=EndpointStatus.RUNNING,
        status_sync_at=now(),
        supported_endpoints=list(dict.fromkeys([*model.supported_endpoints, *served])),
    )


def _deployment_config(data: Json, nodes: list[Json]) -> Json:
    """Return what is kept of how the model was deployed."""
    kept = {**data["deploy_config"], "nodes": nodes, "engine_configs": {name: data.get(name) for name in _ENGINE}}
    names = ("hardware_mode", "simulator_id", "template_id")
    kept.update({name: data[name] for name in names if data.get(name)})
    scaler = data.get("budaiscaler_specification")
    return {**kept, "budaiscaler": scaler} if scaler else kept


def _result(endpoint: Endpoint) -> Json:
    return {"endpoint_id": str(endpoint.id), "url": endpoint.url, "name": endpoint.name}


async def _take_back(session: WriteSession, run: Run, result: Any) -> None:
    """Have budcluster delete what nobody wants any more."""
    namespace = result.get("namespace") if isinstance(result, dict) else None
    if isinstance(namespace, str) and namespace:
        call = budcluster_deployments.delete_deployment(run.data["cluster_id"], namespace)
        await enqueue_call(session, call, aggregate=f"deployment:{namespace}")


SIMULATION = Task(
    name="simulation",
    begins=_says_load,
    applies=_needs_clusters,
    completes=False,
    needs=("model_id", "deploy_config"),
    request=_ask_for_clusters,
    results=keep_clusters,
    events=simulation_events(),
)

IN_CLOUD = Task(
    name="cloud",
    applies=_in_cloud,
    needs=("model_id", "project_id", "endpoint_name", "deploy_config", "credential_id"),
    request=_nobody_to_ask,
    results=_add_cloud_endpoint,
)

ON_CLUSTER = Task(
    name="deployment",
    applies=_on_cluster,
    needs=("model_id", "project_id", "endpoint_name", "deploy_config", "cluster_id", "simulator_id"),
    request=_ask_to_deploy,
    results=_add_endpoint,
    cancel=budcluster.cancel_deployment,
    undo=_take_back,
    events=Events(key="budserve_cluster_events", type="deploy_model", steps=DEPLOYMENT_STEPS),
)

DEPLOYMENT = Definition(
    type="model_deployment",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    title="Deploying Model",
    tag=None,
    cancelled="Successfully cancelled model deployment.",
    refusal="Unable to perform model deployment",
    fields=DeployPost.step_fields(),
    shows=DeploySteps,
    unshown=(
        *("project_id", "cluster_id", "endpoint_id", "budaiscaler_specification", "scaling_specification"),
        KEPT,
    ),
    name_objects=name_objects,
    check=_check,
    tasks=(SIMULATION, IN_CLOUD, ON_CLUSTER),
)
