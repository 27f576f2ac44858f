from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from budapp.commons.access import Caller, service_accounts_may
from budapp.commons.database import Database, Read
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.deployment_ops import autoscale
from budapp.deployment_ops.deletion import DELETION
from budapp.deployment_ops.scaling_schemas import Autoscale, AutoscaleUpdate
from budapp.deployment_ops.schemas import EndpointDeletionPost, EndpointDeletionRequest, EndpointDeletionStarted
from budapp.endpoint_ops.access import MANAGING_OR_PEER, VIEWING_OR_PEER
from budapp.integrations.dapr import DaprDep
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(
    prefix="/endpoints", tags=["endpoints"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

ViewerOrPeer = Annotated[Caller, Depends(VIEWING_OR_PEER)]
ManagerOrPeer = Annotated[Caller, Depends(MANAGING_OR_PEER)]
DatabaseDep = Annotated[Database, provided(Database)]


@router.post("/{endpoint_id}/delete-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def delete_endpoint(
    endpoint_id: UUID, caller: ManagerOrPeer, flows: WorkflowsDep, data: EndpointDeletionRequest | None = None
) -> EndpointDeletionStarted:
    """Delete a deployment that nothing uses; budcluster takes it off its cluster."""
    topic = data.callback_topic if data else None
    step = {"step_number": 1, "workflow_total_steps": 1, "trigger_workflow": True, "endpoint_id": endpoint_id}
    post = EndpointDeletionPost.model_validate({**step, "callback_topic": topic})
    return EndpointDeletionStarted(workflow_id=(await flows.post(caller, DELETION.type, post)).workflow_id)


@router.get("/{endpoint_id}/autoscale")
async def get_autoscale(endpoint_id: UUID, caller: ViewerOrPeer, session: Read) -> Autoscale:
    """Return how a deployment scales by itself."""
    return await autoscale.get_autoscale(session, caller, endpoint_id)


@router.put("/{endpoint_id}/autoscale", dependencies=[may_take(TRIGGER_SECONDS)])
async def set_autoscale(
    endpoint_id: UUID, data: AutoscaleUpdate, caller: ManagerOrPeer, database: DatabaseDep, dapr: DaprDep
) -> Autoscale:
    """Change how a deployment scales by itself, at budcluster first."""
    wanted = data.budaiscaler_specification
    return await autoscale.set_autoscale(database, dapr, caller, endpoint_id, wanted)
