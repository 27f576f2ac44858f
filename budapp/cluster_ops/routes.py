from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.cluster_ops import services, workflows
from budapp.cluster_ops.forms import onboarding_form
from budapp.cluster_ops.schemas import (
    CancelRequest,
    ClusterDeletionPost,
    ClusterEdit,
    ClusterEdited,
    ClusterList,
    ClusterPost,
    ClusterQuery,
    ClusterRetrieved,
    DeletionStarted,
    OnboardingCancelled,
)
from budapp.commons.access import Caller, Requires, RequiresOrPeer
from budapp.commons.database import Database, Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.query_parameters import ignores
from budapp.commons.scopes import Scope
from budapp.integrations.dapr import DaprDep
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(prefix="/clusters", tags=["clusters"], route_class=IdempotentRoute)

DatabaseDep = Annotated[Database, provided(Database)]
ViewerOrPeer = Annotated[Caller, Depends(RequiresOrPeer(Scope.CLUSTER_VIEW))]
ReaderOrPeer = Annotated[Caller, Depends(RequiresOrPeer(Scope.CLUSTER_VIEW, row=services.reach_cluster))]
Manager = Annotated[Caller, Depends(Requires(Scope.CLUSTER_MANAGE))]
Changer = Annotated[Caller, Depends(Requires(Scope.CLUSTER_MANAGE, row=services.reach_cluster))]


@router.get("", dependencies=[ignores("type")])
async def list_all_clusters(
    caller: ViewerOrPeer, session: Read, query: Annotated[ClusterQuery, Query()]
) -> ClusterList:
    """List the clusters, as `GET /clusters/clusters` does; other services ask here."""
    return ClusterList.of(await services.list_clusters(session, caller, query))


@router.get("/clusters", dependencies=[ignores("type")])
async def list_clusters(caller: ViewerOrPeer, session: Read, query: Annotated[ClusterQuery, Query()]) -> ClusterList:
    """List the clusters, the newest first."""
    return ClusterList.of(await services.list_clusters(session, caller, query))


@router.post("/clusters", dependencies=[may_take(TRIGGER_SECONDS)])
async def onboard_cluster(
    caller: Manager, data: Annotated[ClusterPost, Depends(onboarding_form)], flows: WorkflowsDep
) -> WorkflowRetrieved:
    """Post a step of onboarding a cluster; the one that triggers has budcluster register it.

    On premises it is reached by a kubeconfig, which is kept sealed until budcluster has it. A cloud's cluster is made
    with a stored credential of the provider, in one of its regions.
    """
    return await flows.post(caller, workflows.ONBOARDING.type, data)


@router.post("/cancel-onboarding")
async def cancel_onboarding(
    data: CancelRequest, caller: Manager, session: Write, flows: WorkflowsDep
) -> OnboardingCancelled:
    """Cancel the onboarding of a cluster, at budcluster too."""
    await flows.cancel(session, caller, data.workflow_id, only={workflows.ONBOARDING.type})
    return OnboardingCancelled()


@router.get("/{cluster_id}")
async def get_cluster(cluster_id: UUID, caller: ReaderOrPeer, session: Read) -> ClusterRetrieved:
    """Return a cluster."""
    return ClusterRetrieved.of(await services.get_cluster(session, caller, cluster_id))


@router.patch("/{cluster_id}", dependencies=[may_take(TRIGGER_SECONDS)])
async def edit_cluster(
    cluster_id: UUID, data: ClusterEdit, caller: Changer, database: DatabaseDep, dapr: DaprDep
) -> ClusterEdited:
    """Update a cluster; a new ingress address goes to budcluster first."""
    return ClusterEdited.of(await services.edit_cluster(database, dapr, caller, cluster_id, data))


@router.post("/{cluster_id}/delete-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def delete_cluster(cluster_id: UUID, caller: Changer, flows: WorkflowsDep) -> DeletionStarted:
    """Have budcluster delete a cluster that nothing is deployed on."""
    step = ClusterDeletionPost(
        step_number=1, workflow_total_steps=1, trigger_workflow=True, delete_cluster_id=cluster_id
    )
    begun = await flows.post(caller, workflows.DELETION.type, step)
    return DeletionStarted(workflow_id=begun.workflow_id)
