"""How a model is quantized: budsim finds the clusters that can, somebody chooses one, and budcluster does it there."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.cluster_ops import services as clusters
from budapp.cluster_ops.simulation import simulation_events
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.scopes import Scope
from budapp.integrations import budcluster, budsim
from budapp.integrations.budcluster import QuantizationResult
from budapp.integrations.budsim import SimulationResult
from budapp.integrations.peers import Json, PeerCall, StepAnswer
from budapp.model_ops import services as models
from budapp.model_ops.creation import save
from budapp.model_ops.editing import delete_files
from budapp.model_ops.models import Model
from budapp.provider_ops.models import ProviderType
from budapp.quantization_ops import crud
from budapp.quantization_ops.schemas import QuantizationPost
from budapp.quantization_ops.services import name_objects
from budapp.quantization_ops.step_views import QuantizationConfig, QuantizationSteps
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task

_TOKENS = 100
_CONCURRENCY = 1
_DEPLOY_CONFIG = {
    "concurrent_requests": _CONCURRENCY,
    "avg_sequence_length": _TOKENS,
    "avg_context_length": _TOKENS,
}
_SAME = (
    *("description", "tags", "tasks", "author", "model_size", "icon", "github_url", "huggingface_url", "website_url"),
    *("strengths", "limitations", "languages", "use_cases", "model_type", "family", "modality", "source"),
    *("provider_type", "provider_id", "supported_endpoints", "max_input_tokens", "architecture_text_config"),
    *("architecture_vision_config", "architecture_audio_config"),
)


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    if run.data.get("model_id"):
        model = await _original(session, run)
        run.workflow.title, run.workflow.icon = model.name, model.icon
    if run.data.get("quantized_model_name"):
        await models.check_name_free(session, caller.tenant_id, run.data["quantized_model_name"])
    if run.data.get("method"):
        await _check_method(session, run)
    if run.data.get("cluster_id"):
        await clusters.require_available(session, caller.tenant_id, UUID(run.data["cluster_id"]))


async def _original(session: ReadSession, run: Run) -> Model:
    model = await models.find_model(session, run.workflow.tenant_id, UUID(run.data["model_id"]))
    if model is None:
        raise NotFound("Model not found", param="model_id")
    if model.provider_type == ProviderType.CLOUD_MODEL or not model.local_path:
        raise BadRequest("Only local models can be quantized", param="model_id")
    return model


async def _check_method(session: ReadSession, run: Run) -> None:
    method = await crud.method(session, run.data["method"])
    if method is None:
        raise NotFound("Quantization method not found", param="method")
    target, device = run.data.get("target_type"), run.data.get("target_device")
    if target is not None and target not in method.method_type:
        raise BadRequest(f"{method.name} makes {', '.join(method.method_type)}", param="target_type")
    if device is not None and device not in method.hardware_support:
        raise BadRequest(f"{method.name} runs on {', '.join(method.hardware_support)}", param="target_device")


def _says_precision(posted: Json, _triggered: bool) -> bool:
    return "weight_config" in posted and "activation_config" in posted


async def _ask_for_clusters(session: ReadSession, run: Run) -> PeerCall:
    model = await _original(session, run)
    return budsim.run_simulation(
        model_uri=model.local_path,
        proprietary=False,
        input_tokens=_TOKENS,
        output_tokens=_TOKENS,
        concurrency=_CONCURRENCY,
        is_quantization=True,
        quantization_method=run.data["method"],
        quantization_type=run.data["target_type"],
    )


async def _keep_clusters(session: WriteSession, run: Run, result: Any) -> Outcome:
    simulation = SimulationResult.model_validate(result)
    named = [one.cluster_id for one in simulation.recommendations]
    count = len(await clusters.available(session, run.workflow.tenant_id, named))
    counted = {"recommended_cluster_count": count}
    run.workflow.progress = {**(run.workflow.progress or {}), **counted}
    found = {**run.data["bud_simulator_events"], **counted}
    here = {"simulator_id": str(simulation.workflow_id), "bud_simulator_events": found, "deploy_config": _DEPLOY_CONFIG}
    message = f"Found Top {count} Clusters" if count else "Clusters Not Found"
    title = run.workflow.title or QUANTIZATION.title
    notice = Notice("recommended_cluster_success", title, message, ("workflow", run.workflow.id), run.workflow.icon)
    return Outcome([{}], notice, here=here)


async def _ask_to_quantize(session: ReadSession, run: Run) -> PeerCall:
    model = await _original(session, run)
    return budcluster.deploy_quantization(
        cluster_id=run.data["cluster_id"],
        simulator_id=run.data["simulator_id"],
        model_path=model.local_path,
        model_size=model.model_size or 0,
        device_type=run.data["target_device"],
        name=run.data["quantized_model_name"],
        weight=run.data["weight_config"],
        activation=run.data["activation_config"],
    )


async def _add_quantized(session: WriteSession, run: Run, result: Any) -> Outcome:
    quantized = QuantizationResult.model_validate(result)
    original = await _original(session, run)
    model = Model(
        id=uuid7(),
        tenant_id=original.tenant_id,
        created_by=run.workflow.created_by,
        name=run.data["quantized_model_name"],
        uri=run.data["quantized_model_name"],
        local_path=quantized.model_path,
        base_model=[original.uri],
        base_model_relation="quantized",
        **{name: getattr(original, name) for name in _SAME},
    )
    await save(session, model)
    step = {"quantized_model_id": str(model.id), "quantization_data": quantized.quantization_data}
    message, target = "Model Quantization Completed", ("model", model.id)
    notice = Notice("model_quantization_success", model.name, message, target, model.icon)  # type: ignore[arg-type]
    return Outcome([step], notice, {"model_id": str(model.id)})


async def _delete_quantized(session: WriteSession, _run: Run, result: Any) -> None:
    path = result.get("model_path") if isinstance(result, dict) else None
    if isinstance(path, str) and path:
        await delete_files(session, path)


SIMULATION = Task(
    name="simulation",
    begins=_says_precision,
    completes=False,
    needs=("model_id", "method", "target_type", "weight_config", "activation_config"),
    request=_ask_for_clusters,
    results=_keep_clusters,
    events=simulation_events(),
)

DEPLOYMENT = Task(
    name="deployment",
    needs=("model_id", "quantized_model_name", "target_device", "weight_config", "simulator_id", "cluster_id"),
    request=_ask_to_quantize,
    results=_add_quantized,
    cancel=budcluster.cancel_deployment,
    undo=_delete_quantized,
    events=Events(
        key="quantization_deployment_events",
        type="deploy_quantization",
        steps=(
            StepAnswer(id="verify_cluster_connection", title="Verifying cluster connection"),
            StepAnswer(id="transfer_model_to_cluster", title="Transferring model to cluster"),
            StepAnswer(id="deploy_quantization_job", title="Deploying quantization job"),
            StepAnswer(id="running_quantization", title="Quantizing the model"),
            StepAnswer(id="run_evaluation", title="Running evaluation"),
            StepAnswer(id="upload_model_to_registry", title="Saving model"),
        ),
    ),
)

QUANTIZATION = Definition(
    type="local_model_quantization",
    scope=Scope.MODEL_MANAGE,
    title="Quantization",
    tag="Model Repository",
    cancelled="Successfully cancelled model quantization.",
    refusal="Unable to perform model quantization",
    fields=QuantizationPost.step_fields(),
    shows=QuantizationSteps,
    unshown=tuple(QuantizationConfig.model_fields),
    name_objects=name_objects,
    check=_check,
    tasks=(SIMULATION, DEPLOYMENT),
)
