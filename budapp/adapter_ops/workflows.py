"""How adapters come and go: budcluster has the deployment's engine load them, and drop them."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.adapter_ops import crud, services
from budapp.adapter_ops.models import Adapter, AdapterStatus
from budapp.adapter_ops.schemas import AddAdapterPost, DeleteAdapterPost
from budapp.adapter_ops.step_views import AdapterSteps
from budapp.cluster_ops import services as clusters
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.deployment_ops import services as deployments
from budapp.endpoint_ops import lifecycle
from budapp.endpoint_ops.access import changeable_endpoint
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.step_views import AdapterConfig
from budapp.events.outbox import enqueue_call
from budapp.integrations import budcluster, budcluster_deployments
from budapp.integrations.budcluster_deployments import ADAPTER_DELETION_STEPS, ADAPTER_STEPS, AdapterResult
from budapp.integrations.peers import Json, PeerCall
from budapp.model_ops import services as models
from budapp.model_ops.models import Model
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task
from budapp.workflow_ops.step_views import StepObjects

MOST = 5
_NAME_TAKEN = Conflict("The name is taken by an adapter or a deployment; choose another name", param="adapter_name")
_ALREADY = Conflict("Adapter is already added in the endpoint", param="adapter_model_id")


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    data = run.data
    if not data.get("endpoint_id"):
        raise BadRequest("Name the endpoint first", param="endpoint_id")
    endpoint = await changeable_endpoint(session, caller, UUID(data["endpoint_id"]), on_cluster=True)
    if ((endpoint.deployment_config or {}).get("engine_configs") or {}).get("supports_lora") is False:
        raise BadRequest("The deployment's engine does not support adapters", param="endpoint_id")
    if "endpoint_id" in run.posted:
        run.keep(project_id=str(endpoint.project_id))
    loaded = await crud.of_endpoint(session, endpoint.id)
    if len(loaded) >= MOST:
        raise BadRequest(f"Maximum of {MOST} adapters per deployment reached; delete one first", param="endpoint_id")
    if data.get("adapter_model_id"):
        model = await _adapter_model(session, run)
        await _require_made_for(session, model, endpoint)
        run.workflow.title, run.workflow.icon = model.name, model.icon
        if any(row.model_id == model.id for row in loaded):
            raise _ALREADY
    if data.get("adapter_name"):
        run.workflow.title = data["adapter_name"]
        if await crud.name_taken(session, caller.tenant_id, data["adapter_name"]):
            raise _NAME_TAKEN


async def _adapter_model(session: ReadSession, run: Run) -> Model:
    model = await models.find_model(session, run.workflow.tenant_id, UUID(run.data["adapter_model_id"]))
    if model is None:
        raise NotFound("Model not found", param="adapter_model_id")
    if model.base_model_relation != "adapter" or not model.local_path:
        raise BadRequest("The model is not an adapter", param="adapter_model_id")
    return model


async def _require_made_for(session: ReadSession, adapter: Model, endpoint: Endpoint) -> None:
    """Refuse an adapter of another model: the engine would fail to load it, or answer nonsense.

    It fits the model that it names as its base, and what was derived from that.
    """
    deployed = await models.find_model(session, endpoint.tenant_id, endpoint.model_id)
    if not adapter.base_model or deployed is None:
        return
    lineage = {deployed.uri, *(deployed.base_model or ())}
    if lineage.isdisjoint(adapter.base_model):
        made_for = ", ".join(adapter.base_model)
        raise BadRequest(f"The adapter was made for {made_for}, not for {deployed.uri}", param="adapter_model_id")


async def _endpoint(session: ReadSession, tenant_id: UUID, endpoint_id: UUID) -> Endpoint:
    endpoint = await lifecycle.find(session, tenant_id, endpoint_id)
    if endpoint is None:
        raise NotFound("The endpoint was deleted in the meantime", param="endpoint_id")
    return endpoint


def _served_as(endpoint: Endpoint, name: str) -> str:
    return f"{endpoint.namespace}-{name}"


async def _call(session: ReadSession, endpoint: Endpoint, action: str, name: str, path: str, **more: str) -> PeerCall:
    """Return the call that loads the adapter of this name, or drops it, and says which are there then."""
    assert endpoint.bud_cluster_id
    found = await clusters.available(session, endpoint.tenant_id, [endpoint.bud_cluster_id])
    rows = await crud.of_endpoint(session, endpoint.id)
    there = {row.deployment_name: row.local_path or "" for row in rows if row.deployment_name != name}
    if action == "add":
        there[name] = path
    return budcluster_deployments.deploy_adapter(
        action,
        cluster_id=endpoint.bud_cluster_id,
        namespace=endpoint.namespace,
        endpoint_name=endpoint.name,
        ingress_url=(found[0].ingress_url if found else None) or endpoint.url,
        adapter_path=path,
        adapter_name=name,
        adapters=[{"name": one, "artifactURL": url} for one, url in there.items()],
        **more,
    )


async def _ask_to_add(session: ReadSession, run: Run) -> PeerCall:
    endpoint = await _endpoint(session, run.workflow.tenant_id, UUID(run.data["endpoint_id"]))
    model = await _adapter_model(session, run)
    return await _call(session, endpoint, "add", _served_as(endpoint, run.data["adapter_name"]), model.local_path or "")


async def _add(session: WriteSession, run: Run, result: Any) -> Outcome:
    made = AdapterResult.model_validate(result)
    if not made.adapter_status:
        raise BadRequest("The engine has not loaded the adapter")
    workflow, data = run.workflow, run.data
    model = await _adapter_model(session, run)
    endpoint = await lifecycle.lock(session, workflow.tenant_id, UUID(data["endpoint_id"]))
    if endpoint is None:
        raise NotFound("The endpoint was deleted in the meantime")
    if len(await crud.of_endpoint(session, endpoint.id)) >= MOST:
        raise BadRequest(f"Maximum of {MOST} adapters per deployment reached")
    adapter = Adapter(
        id=uuid7(),
        tenant_id=workflow.tenant_id,
        created_by=workflow.created_by,
        name=data["adapter_name"],
        deployment_name=made.deployment_name,
        endpoint_id=endpoint.id,
        model_id=model.id,
        status=AdapterStatus.RUNNING,
    )
    session.add(adapter)
    with conflict_on("uq_adapter_name", _NAME_TAKEN), conflict_on("uq_adapter_model", _ALREADY):
        await session.flush()
    target = ("endpoint", endpoint.id)
    notice = Notice("adapter_deployment_success", adapter.name, "Adapter Added", target, model.icon)  # type: ignore[arg-type]
    step = {"adapter_id": str(adapter.id), "deployment_name": adapter.deployment_name}
    return Outcome([step], notice, {"adapter_id": str(adapter.id)})


async def _take_back(session: WriteSession, run: Run, result: Any) -> None:
    """Have the engine drop what nobody wants any more."""
    name = result.get("deployment_name") if isinstance(result, dict) else None
    endpoint = await lifecycle.find(session, run.workflow.tenant_id, UUID(run.data["endpoint_id"]))
    if endpoint is None or not isinstance(name, str) or not name:
        return
    call = await _call(session, endpoint, "delete", name, name)
    await enqueue_call(session, call, aggregate=f"deployment:{endpoint.namespace}")


async def _check_deletion(session: WriteSession, caller: Caller, run: Run) -> None:
    adapter = await services.reach_adapter(session, caller, UUID(run.data["adapter_id"]))
    endpoint = await changeable_endpoint(session, caller, adapter.endpoint_id, on_cluster=True)
    locked = await crud.lock(session, caller.tenant_id, adapter.id)
    if locked is None:
        raise NotFound("Adapter not found", param="adapter_id")
    if locked.status == AdapterStatus.DELETING:
        raise BadRequest("Adapter is already deleting")
    run.workflow.title = locked.name
    found = {"endpoint_id": str(endpoint.id), "adapter_model_id": str(locked.model_id), "adapter_name": locked.name}
    run.keep(previous_status=locked.status, project_id=str(endpoint.project_id), **found)
    locked.status = AdapterStatus.DELETING


async def _ask_to_delete(session: ReadSession, run: Run) -> PeerCall:
    adapter = await crud.find(session, run.workflow.tenant_id, UUID(run.data["adapter_id"]))
    if adapter is None:
        raise NotFound("Adapter not found", param="adapter_id")
    endpoint = await _endpoint(session, run.workflow.tenant_id, adapter.endpoint_id)
    model = await models.find_model(session, run.workflow.tenant_id, adapter.model_id)
    path = (model.local_path if model else None) or adapter.deployment_name
    return await _call(session, endpoint, "delete", adapter.deployment_name, path, adapter_id=str(adapter.id))


async def _mark_deleted(session: WriteSession, run: Run, _result: Any) -> Outcome:
    adapter = await crud.lock(session, run.workflow.tenant_id, UUID(run.data["adapter_id"]))
    if adapter is None:
        return Outcome()
    adapter.status = AdapterStatus.DELETED
    target = ("endpoint", adapter.endpoint_id)
    notice = Notice("adapter_deletion_success", adapter.name, "Adapter Deleted", target)  # type: ignore[arg-type]
    return Outcome((), notice, {"adapter_id": str(adapter.id)})


async def _deleted_after_all(session: WriteSession, run: Run, result: Any) -> None:
    """What the engine has dropped is gone, whether or not somebody still waits for it."""
    await _mark_deleted(session, run, result)


async def _not_deleted(session: WriteSession, run: Run) -> None:
    """Put the adapter back to what it was."""
    adapter = await crud.lock(session, run.workflow.tenant_id, UUID(run.data["adapter_id"]))
    if adapter is not None and adapter.status == AdapterStatus.DELETING:
        adapter.status = run.data.get("previous_status", AdapterStatus.RUNNING)


async def name_objects(session: ReadSession, tenant_id: UUID, data: Json) -> StepObjects:
    """Return what deployments name, the adapter's model, and `adapter_config` with all that the steps say."""
    shown = {**data, "model_id": data.get("adapter_model_id")}
    config = AdapterConfig.model_validate({name: data.get(name) for name in AdapterConfig.model_fields})
    return {**await deployments.name_objects(session, tenant_id, shown), "adapter_config": config}


_UNSHOWN = ("endpoint_id", "project_id", "adapter_model_id", "adapter_name", "adapter_id", "deployment_name")

ADDITION = Definition(
    type="add_adapter",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    title="Adding an adapter",
    tag=None,
    refusal="Unable to add the adapter",
    fields=AddAdapterPost.step_fields(),
    shows=AdapterSteps,
    unshown=_UNSHOWN,
    name_objects=name_objects,
    check=_check,
    tasks=(
        Task(
            needs=("endpoint_id", "adapter_model_id", "adapter_name"),
            request=_ask_to_add,
            results=_add,
            cancel=budcluster.cancel_deployment,
            undo=_take_back,
            events=Events(key="adapter_deployment_events", type="add_adapter", steps=ADAPTER_STEPS),
        ),
    ),
)

DELETION = Definition(
    type="delete_adapter",
    scope=Scope.ENDPOINT_MANAGE,
    in_project=True,
    title="Adapter deletion",
    tag=None,
    refusal="Failed to delete the adapter",
    keeps_draft=False,
    fields=DeleteAdapterPost.step_fields(),
    shows=AdapterSteps,
    unshown=(*_UNSHOWN, "previous_status", "adapter_delete_events"),
    name_objects=name_objects,
    check=_check_deletion,
    abandoned=_not_deleted,
    tasks=(
        Task(
            needs=("adapter_id",),
            request=_ask_to_delete,
            results=_mark_deleted,
            undo=_deleted_after_all,
            events=Events(
                key="adapter_delete_events",
                type="delete_adapter",
                steps=ADAPTER_DELETION_STEPS,
                in_same_step=True,
            ),
        ),
    ),
)
