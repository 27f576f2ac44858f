from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, internal, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.paging import PagingQuery
from budapp.commons.scopes import Scope
from budapp.experiment_ops import schemas as view
from budapp.experiment_ops import services
from budapp.experiment_ops.models import RunStatus

router = APIRouter(
    prefix="/experiments", tags=["experiments"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)
eta_router = APIRouter(prefix="/experiments", tags=["experiments"])

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_MANAGE))]
ViewerOf = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.reach_experiment))]
ManagerOf = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_MANAGE, row=services.reach_experiment))]
ViewerOfRun = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.reach_run))]
ManagerOfRun = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_MANAGE, row=services.reach_run))]


@router.get("/")
async def list_experiments(
    caller: Viewer, session: Read, query: Annotated[view.ExperimentQuery, Query()]
) -> view.ExperimentList:
    """List the caller's experiments and those in projects in reach, the newest first."""
    return view.ExperimentList.of(await services.list_experiments(session, caller, query))


@router.post("/", status_code=201)
async def create_experiment(data: view.ExperimentCreate, caller: Manager, session: Write) -> view.ExperimentCreated:
    """Make an experiment; its name is kept in lower case."""
    row = await services.create_experiment(session, caller, data)
    made = view.ExperimentView.model_validate(dict(row._mapping))
    return view.ExperimentCreated(experiment=made, id=made.id, data=view.Created(id=made.id))


@router.get("/models")
async def list_models(
    caller: Viewer, session: Read, query: Annotated[view.ModelQuery, Query()]
) -> view.EvaluatedModelList:
    """List the deployments that experiments are about, by the names of their models."""
    return view.EvaluatedModelList.of(await services.list_models(session, caller, query))


@router.get("/tags")
async def list_tags(caller: Viewer, session: Read, query: PagingQuery) -> view.EvalTagList:
    """List the tags of experiments, by name."""
    return view.EvalTagList.of(await services.list_tags(session, caller, query))


@router.post("/tags", status_code=201)
async def create_tag(data: view.TagCreate, caller: Manager, session: Write) -> view.TagCreated:
    """Make a tag for experiments."""
    tag = await services.create_tag(session, caller, data)
    return view.TagCreated(tag=view.TagView.model_validate(tag))


@router.get("/tags/search")
async def search_tags(caller: Viewer, session: Read, query: Annotated[view.TagSearchQuery, Query()]) -> view.TagsFound:
    """Find tags by a part of their names."""
    rows = await services.search_tags(session, caller, query)
    tags = [view.TagView.model_validate(dict(row._mapping)) for row in rows]
    return view.TagsFound(tags=tags, total=len(tags))


@eta_router.patch("/internal/evaluations/eta", dependencies=[internal])
async def take_eta(data: view.EtaUpdate, session: Write) -> view.EtaUpdated:
    """Take how long an evaluation will still take. For budeval."""
    await services.take_eta(session, data)
    return view.EtaUpdated()


@router.get("/runs/{run_id}")
async def get_run(run_id: UUID, caller: ViewerOfRun, session: Read) -> view.RunRetrieved:
    """Get a run with its scores and what budeval said."""
    return view.RunRetrieved(run=await services.get_run(session, caller, run_id))


@router.patch("/runs/{run_id}")
async def update_run(
    run_id: UUID,
    caller: ManagerOfRun,
    session: Write,
    status: RunStatus | None = None,
    data: view.RunUpdate | None = None,
) -> view.RunUpdated:
    """Change a run that waits: cancel it, skip it, have it wait again, or give it other settings."""
    run = await services.update_run(session, caller, run_id, status, data)
    return view.RunUpdated(run=view.RunView.model_validate(run))


@router.delete("/runs/{run_id}")
async def delete_run(run_id: UUID, caller: ManagerOfRun, session: Write) -> view.RunDeleted:
    """Delete a run with its score, unless it goes on."""
    await services.delete_run(session, caller, run_id)
    return view.RunDeleted()


@router.get("/{experiment_id}")
async def get_experiment(experiment_id: UUID, caller: ViewerOf, session: Read) -> view.ExperimentRetrieved:
    """Get an experiment with its newest scores, and how its evaluations are going."""
    return view.ExperimentRetrieved(experiment=await services.get_experiment(session, caller, experiment_id))


@router.patch("/{experiment_id}")
async def update_experiment(
    experiment_id: UUID, data: view.ExperimentUpdate, caller: ManagerOf, session: Write
) -> view.ExperimentUpdated:
    """Change an experiment's name or description."""
    row = await services.update_experiment(session, caller, experiment_id, data)
    return view.ExperimentUpdated(experiment=view.ExperimentView.model_validate(dict(row._mapping)))


@router.delete("/{experiment_id}")
async def delete_experiment(experiment_id: UUID, caller: ManagerOf, session: Write) -> view.ExperimentDeleted:
    """Delete an experiment, unless an evaluation of it goes on."""
    await services.delete_experiment(session, caller, experiment_id)
    return view.ExperimentDeleted()


@router.get("/{experiment_id}/summary")
async def get_summary(experiment_id: UUID, caller: ViewerOf, session: Read) -> view.SummaryRetrieved:
    """Count an experiment's evaluations by status."""
    row = await services.get_summary(session, caller, experiment_id)
    return view.SummaryRetrieved(summary=view.ExperimentSummary.model_validate(dict(row._mapping)))


@router.post("/{experiment_id}/runs", status_code=201)
async def configure_runs(
    experiment_id: UUID, data: view.RunsConfigure, caller: ManagerOf, session: Write
) -> view.RunsConfigured:
    """Note runs that an experiment is to have: each deployment with each dataset, 100 at most."""
    runs = await services.configure_runs(session, caller, experiment_id, data)
    return view.RunsConfigured(runs=[view.RunView.model_validate(run) for run in runs], total_runs=len(runs))


@router.get("/{experiment_id}/runs/history")
async def list_history(
    experiment_id: UUID, caller: ViewerOf, session: Read, query: Annotated[view.HistoryQuery, Query()]
) -> view.HistoryRetrieved:
    """List an experiment's runs, the newest first."""
    return view.HistoryRetrieved(runs_history=await services.list_history(session, caller, experiment_id, query))
