"""Evaluations as people post, look at, repeat and export them; `workflows.py` has how they go."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.spreadsheets import csv_line
from budapp.experiment_ops import crud, views
from budapp.experiment_ops import evaluation_schemas as view
from budapp.experiment_ops.evaluation_crud import EvaluationViewCrud
from budapp.experiment_ops.naming import EvaluationPost, next_step
from budapp.experiment_ops.services import reach_experiment
from budapp.experiment_ops.workflows import EVALUATION
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import Workflows, find_run

LAST_STEP = 5
_MOST_NAMES = 1_000
_EXPORTED = (
    *("evaluation", "experiment", "deployment", "model", "evaluation_status", "dataset", "version", "run_status"),
    *("score", "samples", "interval_lower", "interval_upper", "reason", "created_at"),
)


class EvaluationWorkflow(WorkflowRetrieved):
    """A workflow of an evaluation, with what the next step can choose from, or a summary of what was chosen."""

    selected_model: Any = None
    deployment_specs: dict[str, Any] | None = None
    evaluations: list[str] | None = None
    next_step_data: view.NextStep


async def post_step(
    database: Database, flows: Workflows, caller: Caller, experiment_id: UUID, body: view.EvaluationRequest
) -> WorkflowRetrieved:
    """Store a step of an evaluation; the last one triggers it.

    Raises:
        NotFound: no such experiment, workflow in it, deployment, trait or dataset, or out of reach.
        BadRequest: a step is skipped, a dataset serves no chosen trait, or the workflow has ended.
        Conflict: the experiment has an evaluation of that name.
        PeerFailed, Unavailable: budeval.
    """
    async with database.read() as session:
        await reach_experiment(session, caller, experiment_id)
        if body.workflow_id is not None:
            await _require_of(session, caller, experiment_id, body.workflow_id)
    said = body.stage_data.model_dump(exclude_unset=True)
    steps = {"step_number": body.step_number, "trigger_workflow": body.trigger_workflow}
    total = body.workflow_total_steps if body.workflow_id is None else None
    opened = {"workflow_id": body.workflow_id, "workflow_total_steps": total}
    post = EvaluationPost(experiment_id=experiment_id, **steps, **opened, **said)
    return await flows.post(caller, EVALUATION.type, post)


async def get_workflow(
    session: ReadSession, flows: Workflows, caller: Caller, experiment_id: UUID, workflow_id: UUID
) -> EvaluationWorkflow:
    """Return a workflow of the experiment with what the next step needs; `NotFound` out of reach."""
    data = await _require_of(session, caller, experiment_id, workflow_id)
    found = await flows.get(session, caller, workflow_id)
    steps: Any = found.workflow_steps
    following = await next_step(session, caller, data, found.status)
    fields = {name: getattr(found, name) for name in WorkflowRetrieved.model_fields}
    return EvaluationWorkflow(
        **fields,
        selected_model=steps.model,
        deployment_specs=steps.stage_data.deployment_specs if steps.stage_data else None,
        evaluations=following.summary.evaluations if following.summary else None,
        next_step_data=following,
    )


async def rerun(
    database: Database, flows: Workflows, caller: Caller, experiment_id: UUID, evaluation_id: UUID
) -> WorkflowRetrieved:
    """Evaluate once more with the same deployment, traits and datasets, under a name with the next number.

    Raises:
        NotFound: no such evaluation in the experiment, or what it is about is gone.
        BadRequest: the deployment does not run.
        PeerFailed, Unavailable: budeval.
    """
    async with database.read() as session:
        await reach_experiment(session, caller, experiment_id)
        found = EvaluationViewCrud(session, caller)
        row = await found.one(evaluation_id)
        if row.experiment_id != experiment_id:
            raise NotFound("Evaluation not found")
        runs = await found.runs([evaluation_id])
        name = await _free_name(session, experiment_id, row.evaluation_name)
    said = {"name": name, "description": row.description, "endpoint_id": row.endpoint_id}
    chosen = {"trait_ids": row.trait_ids, "dataset_ids": list(dict.fromkeys(run.dataset_id for run in runs))}
    steps = {"step_number": LAST_STEP, "workflow_total_steps": LAST_STEP, "trigger_workflow": True}
    post = EvaluationPost.model_validate({**steps, "experiment_id": experiment_id, **said, **chosen})
    return await flows.post(caller, EVALUATION.type, post)


async def _free_name(session: ReadSession, experiment_id: UUID, name: str) -> str:
    base, _, number = name.rpartition(" #")
    stem = (base if base and number.isdigit() else name)[:240]
    taken = await crud.names_like(session, experiment_id, stem)
    return next(f"{stem} #{n}" for n in range(2, _MOST_NAMES + len(taken)) if f"{stem} #{n}" not in taken)


async def list_all(
    session: ReadSession, caller: Caller, query: view.EvaluationQuery
) -> tuple[Page, list[view.EvaluationView]]:
    """Return a page of the evaluations in reach, the newest first, with their runs and means."""
    found = EvaluationViewCrud(session, caller)
    page = await found.page(query)
    ids = [row.id for row in page.rows]
    return page, views.evaluations(page.rows, await found.runs(ids), await found.means(ids)) if ids else []


async def exported(database: Database, caller: Caller, query: view.EvaluationQuery) -> AsyncIterator[bytes]:
    """Yield all evaluations in reach that are asked for, a line for each run as CSV, or a list of them as JSON."""
    is_csv = query.export_format == "csv"
    yield csv_line(_EXPORTED) if is_csv else b"["
    first = True
    async with database.read() as session:
        found = EvaluationViewCrud(session, caller)
        async for rows in found.all(query):
            ids = [row.id for row in rows]
            some = views.evaluations(rows, await found.runs(ids), await found.means(ids))
            for one in some:
                yield _csv(one) if is_csv else (b"" if first else b",\n") + one.model_dump_json().encode()
                first = False
    if not is_csv:
        yield b"]\n"


def _csv(one: view.EvaluationView) -> bytes:
    about = (one.evaluation_name, one.experiment_name, one.deployment_name, one.model.name if one.model else None)
    lines = []
    for run in one.runs:
        limits = run.confidence_interval
        scored = (run.score, run.samples, limits.lower if limits else None, limits.upper if limits else None)
        of_run = (run.dataset_name, run.version, run.status, *scored, run.reason, run.created_at.isoformat())
        lines.append(csv_line("" if cell is None else str(cell) for cell in (*about, one.status, *of_run)))
    return b"".join(lines)


async def _require_of(session: ReadSession, caller: Caller, experiment_id: UUID, workflow_id: UUID) -> dict[str, Any]:
    """Return what the steps of a workflow say that belongs to the experiment, or raise `NotFound`."""
    run = await find_run(session, caller, workflow_id)
    if run.workflow.workflow_type != EVALUATION.type or run.data.get("experiment_id") != str(experiment_id):
        raise NotFound("Workflow not found")
    await reach_experiment(session, caller, experiment_id)
    return run.data
