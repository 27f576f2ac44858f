"""How a deployment is evaluated: budeval runs datasets against it, with a key that opens nothing else."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.encrypted_columns import seal, unseal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import BadRequest, Conflict, NotFound, UnprocessableContent
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope
from budapp.commons.storable import cleaned
from budapp.endpoint_ops.access import reach_endpoint
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.evaluation_ops.services import Runnable, find_datasets, require_datasets, require_traits
from budapp.experiment_ops import crud
from budapp.experiment_ops.models import (
    Evaluation,
    EvaluationRun,
    EvaluationStatus,
    RunMetric,
    RunStatus,
)
from budapp.experiment_ops.naming import EvaluationPost, name_objects
from budapp.experiment_ops.services import add_runs, reach_experiment
from budapp.experiment_ops.step_views import EvaluationSteps
from budapp.gateway_ops.tokens import close_token, issue_evaluation_key
from budapp.integrations import budeval
from budapp.integrations.budeval import EvaluationResult, RunResult
from budapp.integrations.peers import Json, PeerCall
from budapp.workflow_ops.definitions import Definition, Events, Notice, Outcome, Run, Task
from budapp.workflow_ops.models import WorkflowStatus

ORDER = ("name", "endpoint_id", "trait_ids", "dataset_ids")
"""What the steps say, one after the other."""
MODE = "gen"
_SERVING = {EndpointStatus.RUNNING}
_UNTOLD = "budeval has told no result for this dataset"


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    data = run.data
    _check_order(run)
    experiment = await reach_experiment(session, caller, UUID(data["experiment_id"]))
    run.workflow.title = data.get("name") or EVALUATION.title
    if data.get("name"):
        known = UUID(data["evaluation_id"]) if data.get("evaluation_id") else None
        if await crud.name_taken(session, experiment.id, data["name"], known):
            raise Conflict("The experiment has an evaluation of that name; choose another name", param="name")
    endpoint = await _deployment(session, caller, run) if data.get("endpoint_id") else None
    if data.get("trait_ids"):
        traits = await require_traits(session, [UUID(one) for one in data["trait_ids"]])
        run.keep(traits_details=[{"id": str(one.id), "name": one.name, "icon": one.icon} for one in traits])
    datasets = await _datasets(session, data) if data.get("dataset_ids") else []
    if run.triggered and endpoint is not None:
        await _begin(session, caller, run, endpoint, datasets)


def _check_order(run: Run) -> None:
    """Raise `BadRequest` where a step comes before another one that it needs."""
    last = max((ORDER.index(name) for name in ORDER if name in run.posted), default=-1)
    needed = ORDER if run.triggered else ORDER[: max(last, 0)]
    missing = [name for name in needed if not run.data.get(name)]
    if missing:
        number = ORDER.index(missing[0]) + 1
        raise BadRequest(f"Step {number} comes first: it says {missing[0]}", param="step_number")


async def _deployment(session: ReadSession, caller: Caller, run: Run) -> Endpoint:
    endpoint = await reach_endpoint(session, caller, UUID(run.data["endpoint_id"]))
    if endpoint.status not in _SERVING and ("endpoint_id" in run.posted or run.triggered):
        raise BadRequest(f"The deployment is {endpoint.status}; only one that runs is evaluated", param="endpoint_id")
    return endpoint


async def _datasets(session: ReadSession, data: Json) -> list[Runnable]:
    traits = {UUID(one) for one in data.get("trait_ids") or ()}
    return await require_datasets(session, [UUID(one) for one in data["dataset_ids"]], traits)


async def _begin(
    session: WriteSession, caller: Caller, run: Run, endpoint: Endpoint, datasets: Sequence[Runnable]
) -> None:
    """Note the evaluation as begun: anew, or the one that is tried again; with a key for this one deployment."""
    data, workflow = run.data, run.workflow
    known = data.get("evaluation_id")
    evaluation = await crud.lock_evaluation(session, workflow.tenant_id, UUID(known)) if known else None
    if evaluation is None:
        evaluation = Evaluation(id=uuid7(), tenant_id=workflow.tenant_id, created_by=workflow.created_by)
        session.add(evaluation)
    else:
        await _close_key(session, evaluation)
    evaluation.experiment_id, evaluation.workflow_id = UUID(data["experiment_id"]), workflow.id
    evaluation.name, evaluation.description = data["name"], data.get("description")
    evaluation.endpoint_id, evaluation.model_id = endpoint.id, endpoint.model_id
    evaluation.trait_ids = [UUID(one) for one in data["trait_ids"]]
    evaluation.status, evaluation.reason = EvaluationStatus.RUNNING, None
    evaluation.started_at, evaluation.duration_in_seconds, evaluation.eta_seconds = now(), None, None
    key = await issue_evaluation_key(session, caller, endpoint.project_id, [endpoint.id])
    seal(_encryption(session), evaluation, Evaluation.key_encrypted, key)
    taken = Conflict("The experiment has an evaluation of that name; choose another name", param="name")
    with conflict_on("uq_evaluation_experiment_id_name", taken):
        await session.flush()
    await _begin_runs(session, evaluation, endpoint, datasets)
    run.keep(evaluation_id=str(evaluation.id))


async def _begin_runs(
    session: WriteSession, evaluation: Evaluation, endpoint: Endpoint, datasets: Sequence[Runnable]
) -> None:
    """Have a run of each dataset; those of an earlier try are taken up again, and what they came to is forgotten."""
    wanted = {dataset.version.id: dataset for dataset in datasets}
    for run in await crud.runs_of(session, evaluation):
        if run.dataset_version_id in wanted and run.status != RunStatus.DELETED:
            del wanted[run.dataset_version_id]
            await crud.clear_metrics(session, run)
            run.status, run.reason, run.raw_result = RunStatus.RUNNING, None, None
            run.started_at, run.ended_at = now(), None
            run.endpoint_id, run.model_id = endpoint.id, endpoint.model_id
        else:
            run.status = RunStatus.DELETED
    about = {"evaluation_id": evaluation.id, "status": RunStatus.RUNNING, "started_at": now()}
    await add_runs(session, evaluation.experiment_id, [endpoint], list(wanted.values()), **about)


async def _ask(session: ReadSession, run: Run) -> PeerCall:
    """Return the call; it runs in the unit of work of the step that triggers."""
    writing = WriteSession(session)
    evaluation = await _evaluation(writing, run)
    endpoint = await crud.endpoint(session, evaluation)
    if endpoint is None:
        raise NotFound("The deployment was deleted in the meantime", param="endpoint_id")
    found = await find_datasets(session, [UUID(one) for one in run.data["dataset_ids"]])
    names = {dataset.version.id: dataset.engine_name for dataset in found}
    runs = [one for one in await crud.runs_of(writing, evaluation) if one.status == RunStatus.RUNNING]
    return budeval.start_evaluation(
        evaluation_id=evaluation.id,
        experiment_id=evaluation.experiment_id,
        model_name=endpoint.name if not endpoint.namespace else endpoint.namespace,
        endpoint=f"{endpoint.url.rstrip('/').removesuffix('/v1')}/v1",
        api_key=unseal(_encryption(session), evaluation, Evaluation.key_encrypted),
        datasets={one.id: names[one.dataset_version_id] for one in runs if one.dataset_version_id in names},
    )


async def _finish(session: WriteSession, run: Run, result: Any) -> Outcome:
    evaluation = await _evaluation(session, run)
    completed = await _take_runs(session, evaluation, result)
    if not completed:
        raise UnprocessableContent("budeval has a result for none of the datasets")
    await _end(session, evaluation, EvaluationStatus.COMPLETED, None)
    runs = [one for one in await crud.runs_of(session, evaluation) if one.status != RunStatus.DELETED]
    message = "Evaluation completed" if completed == len(runs) else f"Evaluation completed: {completed} of {len(runs)}"
    status = {"status": "success", "message": message}
    notice = Notice("evaluation_success", evaluation.name, message, ("workflow", run.workflow.id), run.workflow.icon)
    told = {"evaluation_id": str(evaluation.id), "experiment_id": str(evaluation.experiment_id)}
    return Outcome(notice=notice, result=told, here={"workflow_execution_status": status})


async def _keep_late(session: WriteSession, run: Run, result: Any) -> None:
    """Keep what comes of an evaluation that has failed: a partial result is one; of a cancelled one nothing is kept."""
    if run.workflow.status != WorkflowStatus.FAILED or not run.data.get("evaluation_id"):
        return
    try:
        async with session.begin_nested():
            await _take_runs(session, await _evaluation(session, run), result)
    except (NotFound, ValidationError):
        return


async def _take_runs(session: WriteSession, evaluation: Evaluation, result: Any) -> int:
    """Write down what has become of each run, and return how many have a score; what is told of others is left."""
    told = _readable(EvaluationResult.model_validate(result).results)
    completed = 0
    for run in await crud.runs_of(session, evaluation):
        if run.status not in (RunStatus.RUNNING, RunStatus.FAILED):
            completed += run.status == RunStatus.COMPLETED
            continue
        found = told.get(run.id)
        await _take_run(session, run, *(found or (None, None)))
        completed += run.status == RunStatus.COMPLETED
    await session.flush()
    return completed


def _readable(results: Sequence[Any]) -> dict[UUID, tuple[RunResult, Json]]:
    """Return the results that can be read, by run; a part that can't be loses itself alone."""
    found: dict[UUID, tuple[RunResult, Json]] = {}
    for raw in results:
        try:
            one = RunResult.model_validate(raw)
        except ValidationError:
            continue
        found[one.run_id] = (one, cleaned(raw)[0])
    return found


async def _take_run(session: WriteSession, run: EvaluationRun, result: RunResult | None, raw: Json | None) -> None:
    run.raw_result, run.ended_at = raw, now()
    if result is None or not result.succeeded:
        said = result.status if result is not None else None
        run.status, run.reason = RunStatus.FAILED, f"budeval says {said}" if said else _UNTOLD
        return
    await crud.clear_metrics(session, run)
    run.status, run.reason = RunStatus.COMPLETED, None
    scores = {score.metric or "accuracy": score for score in reversed(result.scores) if score.score is not None}
    ordered = sorted(scores.items(), key=lambda pair: (pair[0] != "accuracy", result.scores.index(pair[1])))
    for position, (name, score) in enumerate(ordered):
        mine = {"tenant_id": run.tenant_id, "run_id": run.id, "metric_name": name[:100], "mode": MODE}
        value = {"metric_value": score.score, "samples": score.num_samples, "position": position}
        session.add(RunMetric(**mine, **value))


async def _abandon(session: WriteSession, run: Run) -> None:
    """Note that the evaluation has come to nothing, and close its key."""
    known = run.data.get("evaluation_id")
    evaluation = await crud.lock_evaluation(session, run.workflow.tenant_id, UUID(known)) if known else None
    if evaluation is None or evaluation.status != EvaluationStatus.RUNNING:
        return
    cancelled = run.workflow.status == WorkflowStatus.CANCELLED
    reason = None if cancelled else run.workflow.reason
    for one in await crud.runs_of(session, evaluation):
        if one.status == RunStatus.RUNNING:
            one.status = RunStatus.CANCELLED if cancelled else RunStatus.FAILED
            one.reason, one.ended_at = reason, now()
    status = EvaluationStatus.CANCELLED if cancelled else EvaluationStatus.FAILED
    await _end(session, evaluation, status, reason)


async def _end(session: WriteSession, evaluation: Evaluation, status: str, reason: str | None) -> None:
    evaluation.status, evaluation.reason, evaluation.eta_seconds = status, reason, 0
    if evaluation.started_at is not None:
        evaluation.duration_in_seconds = round((now() - evaluation.started_at).total_seconds())
    await _close_key(session, evaluation)
    await session.flush()


async def _close_key(session: WriteSession, evaluation: Evaluation) -> None:
    if evaluation.key_encrypted is not None:
        await close_token(session, unseal(_encryption(session), evaluation, Evaluation.key_encrypted))
        evaluation.key_encrypted = None


async def _evaluation(session: WriteSession, run: Run) -> Evaluation:
    found = await crud.lock_evaluation(session, run.workflow.tenant_id, UUID(run.data["evaluation_id"]))
    if found is None:
        raise NotFound("The evaluation was deleted in the meantime")
    return found


def _encryption(session: ReadSession) -> Encryption:
    encryption: Encryption = session.info["encryption"]
    return encryption


EVALUATE = Task(
    needs=("experiment_id", *ORDER, "evaluation_id"),
    request=_ask,
    results=_finish,
    undo=_keep_late,
    events=Events(key="evaluation_events", type=budeval.EVALUATION_EVENTS, steps=budeval.EVALUATION_STEPS),
)

EVALUATION = Definition(
    type="evaluate_model",
    scope=Scope.BENCHMARK_MANAGE,
    title="New Model Evaluation",
    tag="Evaluations",
    cancelled="Successfully cancelled the evaluation.",
    refusal="Unable to start the evaluation",
    keeps_draft=False,
    fields=EvaluationPost.step_fields(),
    shows=EvaluationSteps,
    unshown=("endpoint_id",),
    name_objects=name_objects,
    check=_check,
    tasks=(EVALUATE,),
    abandoned=_abandon,
)
