from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.database import Database, Read
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.openapi import download
from budapp.commons.scopes import Scope
from budapp.experiment_ops import creation, evaluations, schemas, services
from budapp.experiment_ops import evaluation_schemas as view
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep, find_workflow

router = APIRouter(
    prefix="/experiments", tags=["evaluations"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_MANAGE))]
ViewerOf = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.reach_experiment))]
ManagerOf = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_MANAGE, row=services.reach_experiment))]
ViewerOfWorkflow = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=find_workflow))]
DatabaseDep = Annotated[Database, provided(Database)]

WORKFLOW = "/{experiment_id}/evaluations/workflow"


@router.post("/workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def post_experiment_step(
    data: creation.ExperimentRequest, caller: Manager, flows: WorkflowsDep, database: DatabaseDep
) -> creation.ExperimentWorkflow:
    """Post a step of an experiment; the last one makes it, with a run of each dataset with each deployment."""
    workflow_id = await creation.post_step(flows, caller, data)
    async with database.read() as session:
        return await creation.get_workflow(session, caller, workflow_id)


@router.get("/workflow/{workflow_id}")
async def get_experiment_workflow(
    workflow_id: UUID, caller: ViewerOfWorkflow, session: Read
) -> creation.ExperimentWorkflow:
    """Get where an experiment that is put together in steps stands, and what the next step can choose from."""
    return await creation.get_workflow(session, caller, workflow_id)


@router.get("/evaluations/all", response_model=view.AllEvaluations, responses=download("text/csv"))
async def list_all(
    caller: Viewer, session: Read, database: DatabaseDep, query: Annotated[view.EvaluationQuery, Query()]
) -> view.AllEvaluations | StreamingResponse:
    """List the evaluations in reach, the newest first; or export them all as CSV or JSON."""
    if query.export_format is not None:
        media = {"csv": "text/csv; charset=utf-8", "json": "application/json"}[query.export_format]
        name = f'attachment; filename="evaluations.{query.export_format}"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return StreamingResponse(evaluations.exported(database, caller, query), media_type=media, headers=headers)
    page, found = await evaluations.list_all(session, caller, query)
    return view.AllEvaluations(evaluations=found, total=page.total, **page.envelope())


@router.get("/{experiment_id}/evaluations")
async def list_evaluations(experiment_id: UUID, caller: ViewerOf, session: Read) -> view.ExperimentEvaluations:
    """List an experiment's evaluations with their runs, the newest first."""
    row = await services.view_experiment(session, caller, experiment_id)
    found = await services.evaluations_of(session, caller, experiment_id)
    experiment = schemas.ExperimentView.model_validate(dict(row._mapping))
    return view.ExperimentEvaluations(experiment=experiment, evaluations=found)


@router.get("/{experiment_id}/runs")
async def list_runs(experiment_id: UUID, caller: ViewerOf, session: Read) -> view.ShownEvaluations:
    """List an experiment's evaluations as its page shows them, the newest first."""
    await services.reach_experiment(session, caller, experiment_id)
    found = await services.evaluations_of(session, caller, experiment_id)
    return view.ShownEvaluations(evaluations=[view.ShownEvaluation.of(one) for one in found])


@router.post(WORKFLOW, dependencies=[may_take(TRIGGER_SECONDS)])
async def post_evaluation_step(
    experiment_id: UUID, data: view.EvaluationRequest, caller: ManagerOf, flows: WorkflowsDep, database: DatabaseDep
) -> WorkflowRetrieved:
    """Post a step of an evaluation; the last one has budeval run the datasets against the deployment."""
    return await evaluations.post_step(database, flows, caller, experiment_id, data)


@router.get(WORKFLOW + "/{workflow_id}")
async def get_evaluation_workflow(
    experiment_id: UUID, workflow_id: UUID, caller: ViewerOf, session: Read, flows: WorkflowsDep
) -> evaluations.EvaluationWorkflow:
    """Get a workflow of an evaluation, with what the next step can choose from, or a summary."""
    return await evaluations.get_workflow(session, flows, caller, experiment_id, workflow_id)


@router.post("/{experiment_id}/evaluations/{evaluation_id}/rerun", dependencies=[may_take(TRIGGER_SECONDS)])
async def rerun_evaluation(
    experiment_id: UUID, evaluation_id: UUID, caller: ManagerOf, flows: WorkflowsDep, database: DatabaseDep
) -> WorkflowRetrieved:
    """Evaluate once more with the same deployment, traits and datasets."""
    return await evaluations.rerun(database, flows, caller, experiment_id, evaluation_id)
