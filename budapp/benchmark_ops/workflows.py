"""How a model is measured: somebody chooses machines and a load, and budcluster runs it there."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.benchmark_ops import crud
from budapp.benchmark_ops.models import Benchmark, BenchmarkStatus
from budapp.benchmark_ops.schemas import BenchmarkPost
from budapp.benchmark_ops.step_views import BenchmarkSteps
from budapp.cluster_ops import services as clusters
from budapp.cluster_ops.models import Cluster
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, NotFound, UnprocessableContent
from budapp.commons.scopes import Scope
from budapp.commons.storable import cleaned
from budapp.integrations import benchmarks, budcluster
from budapp.integrations.benchmarks import Measured
from budapp.integrations.budcluster_deployments import DEPLOYMENT_STEPS
from budapp.integrations.peers import Json, PeerCall
from budapp.model_ops import services as models
from budapp.model_ops.models import Model
from budapp.provider_credential_ops import services as credentials
from budapp.provider_ops.models import ProviderType
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task
from budapp.workflow_ops.models import WorkflowStatus
from budapp.workflow_ops.step_views import StepObjects

_CONFIGURATION = (
    *("selected_device_type", "tp_size", "pp_size", "replicas", "num_prompts", "hardware_mode"),
    *("run_as_simulation", "credential_id"),
)
_MOST_REASON = 1_000
_DONE = "Benchmark run successfully."


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    data = run.data
    run.workflow.title = data["name"]
    if data.get("datasets"):
        await _check_datasets(session, data)
    if data.get("cluster_id"):
        cluster = await clusters.reach_cluster(session, caller, UUID(data["cluster_id"]))
        await _require_usable(session, cluster)
    if data.get("model_id"):
        model = await _model(session, run)
        run.workflow.icon = model.icon
    if data.get("credential_id"):
        await _check_credential(session, caller, run)
    if run.triggered:
        _require(data, "cluster_id", "model_id", "nodes")
        _check_whole(data, await _model(session, run))
        await _begin(session, run)


async def _check_credential(session: ReadSession, caller: Caller, run: Run) -> None:
    credential_id = UUID(run.data["credential_id"])
    if run.data.get("model_id"):
        model = await _model(session, run)
        await credentials.require_credential(session, caller.tenant_id, credential_id, model.source)
    else:
        await credentials.get_credential(session, caller, credential_id)


async def _check_datasets(session: ReadSession, data: Json) -> None:
    wanted = {UUID(one) for one in data["datasets"]}
    if len(await crud.datasets(session, wanted)) < len(wanted):
        raise NotFound("Dataset not found", param="datasets")


async def _require_usable(session: ReadSession, cluster: Cluster) -> UUID:
    """Return what budcluster calls the cluster, or raise `BadRequest`."""
    if cluster.cluster_id is None:
        raise BadRequest("budcluster does not know the cluster", param="cluster_id")
    await clusters.require_available(session, cluster.tenant_id, cluster.cluster_id)
    return cluster.cluster_id


async def _model(session: ReadSession, run: Run) -> Model:
    named = run.data.get("model_id")
    model = await models.find_model(session, run.workflow.tenant_id, UUID(named)) if named else None
    if model is None:
        raise NotFound("Model not found", param="model_id")
    return model


def _check_whole(data: Json, model: Model) -> None:
    needed = ("datasets",) if data["eval_with"] == "dataset" else ("max_input_tokens", "max_output_tokens")
    if model.provider_type == ProviderType.CLOUD_MODEL:
        needed = (*needed, "credential_id")
    elif not model.local_path:
        raise BadRequest("The model has no files", param="model_id")
    _require(data, *needed)


def _require(data: Json, *names: str) -> None:
    missing = [name for name in names if not data.get(name)]
    if missing:
        raise BadRequest(f"Missing required data for run benchmark workflow: {', '.join(missing)}")


async def _begin(session: WriteSession, run: Run) -> None:
    """Note the measurement as begun: anew, or the one that is tried again."""
    data, workflow = run.data, run.workflow
    known = data.get("benchmark_id")
    benchmark = await crud.lock(session, workflow.tenant_id, UUID(known)) if known else None
    if benchmark is None:
        benchmark = Benchmark(id=uuid7(), tenant_id=workflow.tenant_id, created_by=workflow.created_by)
        session.add(benchmark)
    for name in ("name", "description", "tags", "eval_with", "max_input_tokens", "max_output_tokens"):
        setattr(benchmark, name, data.get(name))
    benchmark.dataset_ids, benchmark.nodes = data.get("datasets"), data.get("nodes") or []
    benchmark.concurrency = data["concurrent_requests"]
    benchmark.model_id, benchmark.cluster_id = UUID(data["model_id"]), UUID(data["cluster_id"])
    benchmark.configuration = {name: data[name] for name in _CONFIGURATION if data.get(name) is not None}
    benchmark.status, benchmark.reason, benchmark.result = BenchmarkStatus.PROCESSING, None, None
    await session.flush()
    run.keep(benchmark_id=str(benchmark.id))


async def _ask_to_run(session: ReadSession, run: Run) -> PeerCall:
    data, model = run.data, await _model(session, run)
    cluster = await crud.cluster(session, run.workflow.tenant_id, UUID(data["cluster_id"]))
    if cluster is None:
        raise NotFound("The cluster was deleted in the meantime", param="cluster_id")
    datasets = await crud.datasets(session, {UUID(one) for one in data.get("datasets") or ()})
    body: Json = {
        "benchmark_id": data["benchmark_id"],
        "name": data["name"],
        "tags": data["tags"],
        "description": data["description"],
        "concurrent_requests": data["concurrent_requests"],
        "eval_with": data["eval_with"],
        "user_id": str(run.workflow.created_by),
        "cluster_id": data["cluster_id"],
        "bud_cluster_id": str(await _require_usable(session, cluster)),
        "nodes": data["nodes"],
        "model_id": str(model.id),
        "model": model.uri if model.provider_type == ProviderType.CLOUD_MODEL else model.local_path,
        "user_confirmation": data.get("user_confirmation", False),
        "run_as_simulation": data.get("run_as_simulation", False),
        "storage_size_gb": model.storage_size_gb,
        **{name: data.get(name) for name in ("max_input_tokens", "max_output_tokens", *_CONFIGURATION)},
    }
    body["run_as_simulation"] = bool(data.get("run_as_simulation"))
    if datasets:
        body["datasets"] = [_dataset(row) for row in datasets]
    return benchmarks.run_benchmark({name: value for name, value in body.items() if value is not None})


def _dataset(row: Any) -> Json:
    names = ("name", "hf_hub_url", "ms_hub_url", "script_url", "file_name", "formatting", "subset", "split", "folder")
    found = {name: getattr(row, name) for name in names if getattr(row, name) is not None}
    return {"id": str(row.id), **found, "num_samples": row.num_samples}


async def _finish(session: WriteSession, run: Run, result: Any) -> Outcome:
    measured = Measured.model_validate(result)
    if not measured.benchmark_status:
        raise UnprocessableContent(_reason(measured.result))
    benchmark = await crud.lock(session, run.workflow.tenant_id, UUID(run.data["benchmark_id"]))
    if benchmark is None:
        raise NotFound("The benchmark was deleted in the meantime")
    found = measured.result if isinstance(measured.result, dict) else {}
    benchmark.status, benchmark.reason, benchmark.result = BenchmarkStatus.SUCCESS, None, found
    benchmark.bud_cluster_benchmark_id = measured.bud_cluster_benchmark_id
    figures = benchmarks.BenchmarkResult.model_validate(found)
    benchmark.ttft, benchmark.tpot = figures.mean_ttft_ms, figures.mean_tpot_ms
    await session.flush()
    status = {"status": "success", "message": _DONE}
    about = ("model", benchmark.id)
    notice = Notice("model_benchmark_success", benchmark.name, "Benchmark completed", about, run.workflow.icon)  # type: ignore[arg-type]
    told = {"benchmark_id": str(benchmark.id)}
    return Outcome([{"workflow_execution_status": status, **told}], notice, told)


async def _abandon(session: WriteSession, run: Run) -> None:
    """Note that the measurement has come to nothing."""
    known = run.data.get("benchmark_id")
    benchmark = await crud.lock(session, run.workflow.tenant_id, UUID(known)) if known else None
    if benchmark is None or benchmark.status != BenchmarkStatus.PROCESSING:
        return
    cancelled = run.workflow.status == WorkflowStatus.CANCELLED
    benchmark.status = BenchmarkStatus.CANCELLED if cancelled else BenchmarkStatus.FAILED
    benchmark.reason = None if cancelled else run.workflow.reason
    await session.flush()


def _reason(result: Any) -> str:
    text = cleaned(result)[0]
    return str(text)[:_MOST_REASON] if text else "budcluster could not measure the model"


async def name_objects(session: ReadSession, tenant_id: UUID, data: dict[str, Any]) -> StepObjects:
    """Return the model and the cluster that the steps name, and the datasets in place of their ids."""
    found: dict[str, Any] = {**await models.name_objects(session, tenant_id, data)}
    found |= await clusters.name_objects(session, tenant_id, data)
    rows = await crud.datasets(session, {UUID(one) for one in data.get("datasets") or ()})
    if data.get("datasets"):
        found["datasets"] = [{"id": str(row.id), "name": row.name} for row in rows]
    return found


RUN = Task(
    needs=(
        *("name", "eval_with", "model_id", "cluster_id", "nodes", "concurrent_requests"),
        "benchmark_id",
    ),
    request=_ask_to_run,
    results=_finish,
    cancel=budcluster.cancel_deployment,
    events=Events(key="budserve_cluster_events", type="performance_benchmark", steps=DEPLOYMENT_STEPS),
)

BENCHMARK = Definition(
    type="model_benchmark",
    scope=Scope.BENCHMARK_MANAGE,
    title="Benchmark",
    tag="Model Repository",
    cancelled="Successfully cancelled model benchmark.",
    refusal="Unable to perform run benchmark",
    keeps_draft=False,
    fields=BenchmarkPost.step_fields(),
    shows=BenchmarkSteps,
    unshown=("cluster_id", "model_id"),
    name_objects=name_objects,
    check=_check,
    tasks=(RUN,),
    abandoned=_abandon,
)
