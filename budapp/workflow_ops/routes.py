from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, SignedIn, SignedInAccess, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.idempotency import IdempotentRoute
from budapp.workflow_ops.schemas import (
    WorkflowDeleted,
    WorkflowList,
    WorkflowQuery,
    WorkflowRetrieved,
    WorkflowUpdated,
)
from budapp.workflow_ops.services import WorkflowsDep, find_workflow

router = APIRouter(
    prefix="/workflows", tags=["workflows"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

Owner = Annotated[Caller, Depends(SignedInAccess(row=find_workflow))]


@router.get("")
async def list_workflows(
    caller: SignedIn, session: Read, workflows: WorkflowsDep, query: Annotated[WorkflowQuery, Query()]
) -> WorkflowList:
    """List the caller's workflows in progress."""
    return WorkflowList.of(await workflows.list_open(session, caller, query))


@router.get("/{workflow_id}")
async def get_workflow(workflow_id: UUID, caller: Owner, session: Read, workflows: WorkflowsDep) -> WorkflowRetrieved:
    """Return a workflow with the data of its steps: the caller's own, or with user:manage anyone's in the tenant."""
    return await workflows.get(session, caller, workflow_id)


@router.patch("/{workflow_id}")
async def complete_workflow(
    workflow_id: UUID, caller: Owner, session: Write, workflows: WorkflowsDep
) -> WorkflowUpdated:
    """Mark a workflow as completed."""
    return WorkflowUpdated.of(await workflows.complete(session, caller, workflow_id))


@router.delete("/{workflow_id}")
async def cancel_workflow(workflow_id: UUID, caller: Owner, session: Write, workflows: WorkflowsDep) -> WorkflowDeleted:
    """Cancel a workflow; the service that works on it is asked to stop, if it can."""
    return WorkflowDeleted(message=await workflows.cancel(session, caller, workflow_id))


@router.post("/{workflow_id}/retry", dependencies=[may_take(TRIGGER_SECONDS)])
async def retry_workflow(workflow_id: UUID, caller: Owner, workflows: WorkflowsDep) -> WorkflowRetrieved:
    """Retry a failed workflow with the data of its steps."""
    return await workflows.retry(caller, workflow_id)
