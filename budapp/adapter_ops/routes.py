from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.adapter_ops import services, workflows
from budapp.adapter_ops.schemas import AdapterList, AdapterQuery, AddAdapterPost, DeleteAdapterPost
from budapp.commons.access import Caller, service_accounts_may
from budapp.commons.database import Read
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.idempotency import IdempotentRoute
from budapp.deployment_ops.services import MANAGING
from budapp.endpoint_ops.access import VIEWING
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(
    prefix="/endpoints", tags=["adapters"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

Viewer = Annotated[Caller, Depends(VIEWING)]
Manager = Annotated[Caller, Depends(MANAGING)]
Remover = Annotated[Caller, Depends(services.MANAGING)]


@router.post("/add-adapter", dependencies=[may_take(TRIGGER_SECONDS)])
async def add_adapter(data: AddAdapterPost, caller: Manager, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of adding an adapter to a deployment; the one that triggers has budcluster load it."""
    return await flows.post(caller, workflows.ADDITION.type, data)


@router.post("/delete-adapter/{adapter_id}", dependencies=[may_take(TRIGGER_SECONDS)])
async def delete_adapter(adapter_id: UUID, caller: Remover, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Have budcluster drop an adapter of a deployment."""
    step = {"step_number": 1, "workflow_total_steps": 2, "trigger_workflow": True, "adapter_id": adapter_id}
    return await flows.post(caller, workflows.DELETION.type, DeleteAdapterPost.model_validate(step))


@router.get("/{endpoint_id}/adapters")
async def list_adapters(
    endpoint_id: UUID, caller: Viewer, session: Read, query: Annotated[AdapterQuery, Query()]
) -> AdapterList:
    """List the adapters of a deployment, the newest first."""
    return AdapterList.of(await services.list_adapters(session, caller, endpoint_id, query))
