from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from budapp.commons.access import Caller, service_accounts_may
from budapp.commons.database import Database, Read
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.deployment_ops.services import MANAGING
from budapp.endpoint_ops.access import VIEWING
from budapp.integrations.dapr import DaprDep
from budapp.worker_ops import deletion, log_stream, services, workflows
from budapp.worker_ops.schemas import (
    AddWorkerPost,
    WorkerDeletion,
    WorkerDeletionStarted,
    WorkerList,
    WorkerLogs,
    WorkerMetrics,
    WorkerQuery,
    WorkerRetrieved,
)
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(
    prefix="/endpoints", tags=["workers"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

Viewer = Annotated[Caller, Depends(VIEWING)]
Manager = Annotated[Caller, Depends(MANAGING)]
DatabaseDep = Annotated[Database, provided(Database)]


@router.post("/add-worker", dependencies=[may_take(TRIGGER_SECONDS)])
async def add_worker(data: AddWorkerPost, caller: Manager, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of adding workers to a deployment.

    The step that says for how many requests more has budsim look for room; the one that triggers has budcluster add.
    """
    return await flows.post(caller, workflows.ADDITION.type, data)


@router.post("/delete-worker", dependencies=[may_take(TRIGGER_SECONDS)])
async def delete_worker(
    data: WorkerDeletion, caller: Manager, database: DatabaseDep, dapr: DaprDep, flows: WorkflowsDep
) -> WorkerDeletionStarted:
    """Have budcluster delete a worker of a deployment."""
    return await deletion.delete_worker(database, dapr, flows, caller, data)


@router.get("/{endpoint_id}/workers")
async def list_workers(
    endpoint_id: UUID, caller: Viewer, session: Read, dapr: DaprDep, query: Annotated[WorkerQuery, Query()]
) -> WorkerList:
    """List the workers of a deployment, as budcluster knows them now."""
    return await services.list_workers(session, caller, dapr, endpoint_id, query)


@router.get("/{endpoint_id}/workers/{worker_id}")
async def get_worker(
    endpoint_id: UUID, worker_id: UUID, caller: Viewer, session: Read, dapr: DaprDep, reload: bool = False
) -> WorkerRetrieved:
    """Return a worker; with `reload`, budcluster looks anew."""
    return await services.get_worker(session, caller, dapr, endpoint_id, worker_id, reload=reload)


@router.get("/{endpoint_id}/workers/{worker_id}/logs")
async def get_worker_logs(
    endpoint_id: UUID, worker_id: UUID, caller: Viewer, session: Read, dapr: DaprDep
) -> WorkerLogs:
    """Return what a worker has written."""
    return await services.get_logs(session, caller, dapr, endpoint_id, worker_id)


@router.get("/{endpoint_id}/workers/{worker_id}/logs/stream", response_class=StreamingResponse)
async def follow_worker_logs(
    endpoint_id: UUID,
    worker_id: UUID,
    caller: Viewer,
    database: DatabaseDep,
    dapr: DaprDep,
    seconds: Annotated[int, Query(ge=0, le=3600)] = 900,
) -> StreamingResponse:
    """Send what a worker writes, as server-sent events, for so many seconds."""
    lines = await log_stream.follow(database, caller, dapr, endpoint_id, worker_id, seconds)
    return StreamingResponse(lines, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/{endpoint_id}/workers/{worker_id}/metrics")
async def get_worker_metrics(
    endpoint_id: UUID, worker_id: UUID, caller: Viewer, session: Read, dapr: DaprDep
) -> WorkerMetrics:
    """Return what a worker uses."""
    return await services.get_metrics(session, caller, dapr, endpoint_id, worker_id)
