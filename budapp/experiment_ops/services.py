"""Experiments with their tags and runs; `workflows.py` has how deployments are evaluated."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.commons.integrity import conflict_on
from budapp.commons.paging import Paging
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.models import Endpoint
from budapp.endpoint_ops.services import endpoints_of_ids
from budapp.evaluation_ops.services import Runnable, require_datasets
from budapp.experiment_ops import crud, views
from budapp.experiment_ops import evaluation_schemas as evaluation_view
from budapp.experiment_ops import schemas as view
from budapp.experiment_ops.crud import ExperimentCrud, RunCrud, TagCrud
from budapp.experiment_ops.evaluation_crud import EvaluationViewCrud
from budapp.experiment_ops.models import EvalTag, EvaluationRun, Experiment, RunStatus
from budapp.project_ops.services import require_project

_SETTABLE = {RunStatus.PENDING, RunStatus.CANCELLED, RunStatus.SKIPPED}
NAME_TAKEN = "You have an experiment of that name; choose another name"


async def reach_experiment(session: ReadSession, caller: Caller, experiment_id: UUID) -> Experiment:
    """Return the experiment, or raise `NotFound`."""
    return await ExperimentCrud(session, caller).get(experiment_id)


async def reach_run(session: ReadSession, caller: Caller, run_id: UUID) -> EvaluationRun:
    """Return the run, or raise `NotFound`."""
    return await RunCrud(session, caller).get(run_id)


async def list_experiments(session: ReadSession, caller: Caller, query: view.ExperimentQuery) -> Page:
    """Return a page of the experiments in reach, the newest first."""
    return await ExperimentCrud(session, caller).page_of_experiments(query)


async def list_models(session: ReadSession, caller: Caller, query: view.ModelQuery) -> Page:
    """Return a page of the deployments that experiments in reach are about, by the names of their models."""
    return await ExperimentCrud(session, caller).page_of_models(query)


async def experiments_of_traits(
    session: ReadSession, caller: Caller, trait_ids: Collection[UUID]
) -> dict[UUID, list[UUID]]:
    """Return the experiments in reach that have evaluated each of the traits."""
    return await ExperimentCrud(session, caller).of_traits(trait_ids)


async def create_experiment(session: WriteSession, caller: Caller, data: view.ExperimentCreate) -> Row[Any]:
    """Make an experiment.

    Raises:
        NotFound: no such project or tag, or out of reach.
        Conflict: the caller has one of that name.
    """
    if data.project_id is not None:
        await require_project(session, caller, data.project_id, Scope.PROJECT_VIEW, lock="share")
    about = data.model_dump(include={"name", "description", "project_id"})
    tag_ids = await _tags(session, caller, data.tags or [], data.tag_ids or [])
    experiment = Experiment(id=uuid7(), tenant_id=caller.tenant_id, created_by=caller.user_id, tag_ids=tag_ids, **about)
    session.add(experiment)
    await _flush_name(session)
    return await ExperimentCrud(session, caller).view(experiment.id)


async def update_experiment(
    session: WriteSession, caller: Caller, experiment_id: UUID, data: view.ExperimentUpdate
) -> Row[Any]:
    """Change what was sent.

    Raises:
        NotFound: no such experiment, or out of reach.
        Conflict: its creator has another one of that name.
    """
    experiment = await ExperimentCrud(session, caller).get(experiment_id, for_update=True)
    for name, value in data.model_dump(exclude_unset=True).items():
        if name != "name" or value is not None:
            setattr(experiment, name, value)
    await _flush_name(session)
    return await ExperimentCrud(session, caller).view(experiment_id)


async def delete_experiment(session: WriteSession, caller: Caller, experiment_id: UUID) -> None:
    """Delete an experiment; its name is free again.

    Raises:
        NotFound: no such experiment, or out of reach.
        BadRequest: an evaluation of it goes on.
    """
    experiment = await ExperimentCrud(session, caller).get(experiment_id, for_update=True)
    if await crud.live_evaluations_of(session, experiment_id):
        raise BadRequest("An evaluation of the experiment goes on; cancel it first, or wait")
    experiment.status = "deleted"


async def get_experiment(session: ReadSession, caller: Caller, experiment_id: UUID) -> view.ExperimentDetail:
    """Return an experiment with its newest scores, and how its evaluations are going; `NotFound` out of reach."""
    row = await ExperimentCrud(session, caller).view(experiment_id)
    found = EvaluationViewCrud(session, caller)
    evaluations = await found.of_experiment(experiment_id)
    runs = await found.runs_of_experiment(experiment_id)
    names = {one.id: one.evaluation_name for one in evaluations}
    return view.ExperimentDetail.model_validate(
        {
            **row._mapping,
            "objective": row.description,
            "runtime": sum(one.duration_in_seconds or 0 for one in evaluations),
            "current_metrics": views.current_metrics(runs, names),
            "progress_overview": views.progress(evaluations, runs, row.description),
        }
    )


async def view_experiment(session: ReadSession, caller: Caller, experiment_id: UUID) -> Row[Any]:
    """Return an experiment as lists have it; `NotFound` out of reach."""
    return await ExperimentCrud(session, caller).view(experiment_id)


async def get_summary(session: ReadSession, caller: Caller, experiment_id: UUID) -> Row[Any]:
    """Return how many evaluations an experiment has, by status; `NotFound` out of reach."""
    await reach_experiment(session, caller, experiment_id)
    return await ExperimentCrud(session, caller).summary(experiment_id)


async def evaluations_of(
    session: ReadSession, caller: Caller, experiment_id: UUID
) -> list[evaluation_view.EvaluationView]:
    """Return the evaluations of an experiment in reach, the newest first."""
    crud_ = EvaluationViewCrud(session, caller)
    rows = await crud_.of_experiment(experiment_id)
    ids = [row.id for row in rows]
    return views.evaluations(rows, await crud_.runs(ids), await crud_.means(ids)) if ids else []


async def list_tags(session: ReadSession, caller: Caller, paging: Paging) -> Page:
    """Return a page of the tenant's tags, by name."""
    return await TagCrud(session, caller).page_of_tags(paging)


async def search_tags(session: ReadSession, caller: Caller, query: view.TagSearchQuery) -> Sequence[Row[Any]]:
    """Return the tenant's tags with the text in their names."""
    return await TagCrud(session, caller).found(query.q, query.limit)


async def create_tag(session: WriteSession, caller: Caller, data: view.TagCreate) -> EvalTag:
    """Make a tag, or raise `Conflict` where the tenant has one of that name."""
    tag = EvalTag(id=uuid7(), tenant_id=caller.tenant_id, created_by=caller.user_id, **data.model_dump())
    session.add(tag)
    with conflict_on("uq_eval_tag_tenant_id_name", Conflict("There is a tag of that name", param="name")):
        await session.flush()
    return tag


async def configure_runs(
    session: WriteSession, caller: Caller, experiment_id: UUID, data: view.RunsConfigure
) -> list[EvaluationRun]:
    """Note runs that an experiment is to have: each deployment with each dataset.

    Raises:
        NotFound: no such experiment, deployment or dataset, or out of reach.
    """
    await ExperimentCrud(session, caller).get(experiment_id, for_update=True)
    endpoints = await require_endpoints(session, caller, data.endpoint_ids)
    datasets = await require_datasets(session, data.dataset_ids)
    return await add_runs(session, experiment_id, endpoints, datasets, config=data.evaluation_config)


async def require_endpoints(session: ReadSession, caller: Caller, ids: Collection[UUID]) -> list[Endpoint]:
    """Return the deployments, or raise `NotFound` where one is out of reach."""
    found = await endpoints_of_ids(session, caller, set(ids))
    if len(found) < len(set(ids)):
        raise NotFound("Deployment not found", param="endpoint_ids")
    return found


async def add_runs(
    session: WriteSession,
    experiment_id: UUID,
    endpoints: Sequence[Endpoint],
    datasets: Sequence[Runnable],
    **more: Any,
) -> list[EvaluationRun]:
    """Add a run of each dataset with each deployment to an experiment in reach."""
    await crud.lock_experiment(session, experiment_id)
    first = await crud.next_run_index(session, experiment_id)
    pairs = [(endpoint, dataset) for endpoint in endpoints for dataset in datasets]
    runs = [
        EvaluationRun(
            id=uuid7(),
            tenant_id=endpoint.tenant_id,
            experiment_id=experiment_id,
            run_index=index,
            endpoint_id=endpoint.id,
            model_id=endpoint.model_id,
            dataset_version_id=dataset.version.id,
            **more,
        )
        for index, (endpoint, dataset) in enumerate(pairs, first)
    ]
    session.add_all(runs)
    await session.flush()
    return runs


async def get_run(session: ReadSession, caller: Caller, run_id: UUID) -> view.RunWithResults:
    """Return a run with its scores; `NotFound` out of reach."""
    runs = RunCrud(session, caller)
    run = await runs.get(run_id)
    metrics = [view.MetricView.model_validate(metric) for metric in await runs.metrics(run_id)]
    shown = view.RunView.model_validate(run)
    return view.RunWithResults(**dict(shown), metrics=metrics, raw_results=run.raw_result)


async def update_run(
    session: WriteSession, caller: Caller, run_id: UUID, status: RunStatus | None, data: view.RunUpdate | None
) -> EvaluationRun:
    """Change a run that no evaluation carries out.

    Raises:
        NotFound: no such run, or out of reach.
        BadRequest: an evaluation decides what becomes of it, or it can't be set to that.
    """
    run = await RunCrud(session, caller).get(run_id, for_update=True)
    if run.evaluation_id is not None:
        raise BadRequest("What becomes of this run is up to its evaluation")
    if status is not None and status not in _SETTABLE:
        raise BadRequest(f"A run can be set to {', '.join(sorted(_SETTABLE))}", param="status")
    run.status = status or run.status
    if data is not None and "config" in data.model_fields_set:
        run.config = data.config
    await session.flush()
    return run


async def delete_run(session: WriteSession, caller: Caller, run_id: UUID) -> None:
    """Delete a run with its score.

    Raises:
        NotFound: no such run, or out of reach.
        BadRequest: it goes on.
    """
    run = await RunCrud(session, caller).get(run_id, for_update=True)
    if run.status == RunStatus.RUNNING:
        raise BadRequest("The run goes on; cancel its evaluation first, or wait")
    run.status = RunStatus.DELETED


async def list_history(
    session: ReadSession, caller: Caller, experiment_id: UUID, query: view.HistoryQuery
) -> view.History:
    """Return a page of an experiment's runs; `NotFound` out of reach."""
    await reach_experiment(session, caller, experiment_id)
    total, rows = await EvaluationViewCrud(session, caller).history(experiment_id, query)
    items = [
        view.HistoryItem.model_validate(
            {
                **row._mapping,
                "duration_seconds": round(row.duration_seconds),
                "benchmarks": [] if row.score is None else [{"name": row.dataset_name, "score": f"{row.score:.2f}"}],
            }
        )
        for row in rows
    ]
    sort = view.Sorting(field=query.sort_field, direction=query.sort_direction)
    return view.History(total=total, items=items, sort=sort, page=query.page, page_size=query.page_size)


async def take_eta(session: WriteSession, data: view.EtaUpdate) -> None:
    """Note how long an evaluation will still take; one that has ended takes none. `NotFound` where there is none."""
    evaluation = await crud.evaluation_of_any(session, data.evaluation_id)
    if evaluation is None:
        raise NotFound("Evaluation not found")
    if evaluation.status == "running":
        evaluation.eta_seconds = data.eta_seconds


async def _tags(session: WriteSession, caller: Caller, names: Sequence[str], ids: Sequence[UUID]) -> list[UUID]:
    """Return the ids of the tags: of the names in whatever case, which come into being where there are none."""
    tags = TagCrud(session, caller)
    if ids and len(await tags.existing(ids)) < len(set(ids)):
        raise NotFound("Tag not found; GET /experiments/tags lists them", param="tag_ids")
    unique = {name.lower(): name for name in names}
    known = await tags.of_names(names) if names else {}
    for lowered, name in unique.items():
        if lowered not in known:
            known[lowered] = (await create_tag(session, caller, view.TagCreate(name=name))).id
    return list(dict.fromkeys([*ids, *(known[lowered] for lowered in unique)]))


async def _flush_name(session: WriteSession) -> None:
    with conflict_on("uq_experiment_created_by_name", Conflict(NAME_TAKEN, param="name")):
        await session.flush()
