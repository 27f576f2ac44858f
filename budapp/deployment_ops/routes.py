from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends

from budapp.commons.access import Caller, SignedInAccess, internal, service_accounts_may
from budapp.commons.database import Database, Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.deployment_ops import recommended, workflows
from budapp.deployment_ops.schemas import (
    DeploymentCancel,
    DeploymentCancelled,
    DeploymentWorkflow,
    DeployPost,
    DryRun,
    RecommendedClusters,
    SchedulerStarted,
)
from budapp.deployment_ops.services import DEPLOYING, MANAGING
from budapp.integrations.dapr import DaprDep
from budapp.recommendation_ops.services import recommend
from budapp.workflow_ops.services import WorkflowsDep, find_workflow

router = APIRouter(route_class=IdempotentRoute, dependencies=[service_accounts_may])

Deployer = Annotated[Caller, Depends(DEPLOYING)]
Manager = Annotated[Caller, Depends(MANAGING)]
DatabaseDep = Annotated[Database, provided(Database)]
Owner = Annotated[Caller, Depends(SignedInAccess(row=find_workflow))]


@router.post("/models/deploy-workflow", tags=["deployments"], dependencies=[may_take(TRIGGER_SECONDS)])
async def deploy_model(
    data: DeployPost, caller: Deployer, flows: WorkflowsDep, dry_run: bool = False
) -> DeploymentWorkflow | DryRun:
    """Post a step of deploying a model.

    A cloud's model is deployed at once by the step that triggers. For one with files of its own, the step that says
    the load has budsim look for clusters, and the one that triggers has budcluster deploy. With `dry_run=true` nothing
    is stored or asked for: the answer says what would be asked of which service, and what is missing.
    """
    if dry_run:
        return DryRun.of(await flows.rehearse(caller, workflows.DEPLOYMENT.type, data))
    return DeploymentWorkflow.with_progress(await flows.post(caller, workflows.DEPLOYMENT.type, data))


@router.post("/models/cancel-deployment", tags=["deployments"])
async def cancel_deployment(
    data: DeploymentCancel, caller: Manager, session: Write, flows: WorkflowsDep
) -> DeploymentCancelled:
    """Cancel a deployment, at budcluster too."""
    await flows.cancel(session, caller, data.workflow_id, only={workflows.DEPLOYMENT.type})
    return DeploymentCancelled()


@router.get("/clusters/recommended/{workflow_id}", tags=["clusters"])
async def list_recommended_clusters(
    workflow_id: UUID, caller: Owner, session: Read, dapr: DaprDep
) -> RecommendedClusters:
    """List the clusters that budsim has found for the load that a workflow's steps describe, the best first."""
    return await recommended.list_recommended(session, caller, dapr, workflow_id)


@router.post("/clusters/recommended-scheduler", tags=["clusters"], dependencies=[internal])
async def schedule_recommendations(
    database: DatabaseDep, flows: WorkflowsDep, background: BackgroundTasks
) -> SchedulerStarted:
    """Begin to look for the best cluster of the models that have waited longest for one."""
    background.add_task(recommend, database, flows)
    return SchedulerStarted()
