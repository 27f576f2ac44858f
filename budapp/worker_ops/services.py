"""The workers of deployments, as budcluster knows them at the moment."""

from uuid import UUID

from pydantic import ValidationError

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, release
from budapp.commons.errors import NotFound, PeerFailed
from budapp.endpoint_ops.access import reach_endpoint
from budapp.endpoint_ops.models import Endpoint
from budapp.integrations import budcluster_deployments
from budapp.integrations.budcluster_deployments import LogLine, WorkerInfo
from budapp.integrations.dapr import DaprClient, PeerRefused
from budapp.worker_ops.schemas import (
    LogLineView,
    WorkerList,
    WorkerLogs,
    WorkerMetrics,
    WorkerQuery,
    WorkerRetrieved,
    WorkerUse,
    WorkerView,
)

_NOT_FOUND = 404


async def list_workers(
    session: ReadSession, caller: Caller, dapr: DaprClient, endpoint_id: UUID, query: WorkerQuery
) -> WorkerList:
    """Return a page of a deployment's workers; one that a provider's cloud runs has none.

    Raises:
        NotFound: no such endpoint, out of reach, or budcluster does not know the deployment.
        PeerFailed, Unavailable: budcluster.
    """
    endpoint = await _released(session, caller, endpoint_id)
    paging = {"page": query.page, "limit": query.limit}
    if endpoint.bud_cluster_id is None:
        return WorkerList(workers=[], total_record=0, **paging)
    asked = query.model_dump(mode="json", exclude_none=True)
    try:
        found = await budcluster_deployments.list_workers(dapr, endpoint.bud_cluster_id, endpoint.namespace, asked)
    except PeerRefused as error:
        raise _known(error, NotFound("The deployment is not known to budcluster")) from error
    workers = [WorkerView.model_validate(worker) for worker in found.workers]
    return WorkerList(workers=workers, total_record=found.total_record, **paging)


async def get_worker(
    session: ReadSession, caller: Caller, dapr: DaprClient, endpoint_id: UUID, worker_id: UUID, *, reload: bool
) -> WorkerRetrieved:
    """Return a worker of the deployment; raises what `list_workers` does."""
    endpoint = await _released(session, caller, endpoint_id)
    worker = await worker_of(dapr, endpoint, worker_id, reload=reload)
    return WorkerRetrieved(worker=WorkerView.model_validate(worker))


async def get_logs(
    session: ReadSession, caller: Caller, dapr: DaprClient, endpoint_id: UUID, worker_id: UUID
) -> WorkerLogs:
    """Return what a worker of the deployment has written; raises what `list_workers` does."""
    endpoint = await _released(session, caller, endpoint_id)
    await worker_of(dapr, endpoint, worker_id)
    return WorkerLogs(logs=[LogLineView.model_validate(line) for line in await logs_of(dapr, worker_id)])


async def get_metrics(
    session: ReadSession, caller: Caller, dapr: DaprClient, endpoint_id: UUID, worker_id: UUID
) -> WorkerMetrics:
    """Return what a worker of the deployment uses; raises what `list_workers` does."""
    endpoint = await _released(session, caller, endpoint_id)
    await worker_of(dapr, endpoint, worker_id)
    try:
        found = await budcluster_deployments.worker_metrics(dapr, worker_id)
        return WorkerMetrics(metrics=WorkerUse.model_validate(found))
    except PeerRefused as error:
        raise _known(error, _no_worker()) from error
    except ValidationError as error:
        raise PeerFailed from error


async def worker_of(dapr: DaprClient, endpoint: Endpoint, worker_id: UUID, *, reload: bool = False) -> WorkerInfo:
    """Return the worker, if it is one of the endpoint's.

    Raises:
        NotFound: it is another deployment's, or nobody's.
        PeerFailed, Unavailable: budcluster.
    """
    if endpoint.bud_cluster_id is None:
        raise _no_worker()
    try:
        worker = await budcluster_deployments.get_worker(dapr, worker_id, reload=reload)
    except PeerRefused as error:
        raise _known(error, _no_worker()) from error
    if (worker.cluster_id, worker.namespace) != (endpoint.bud_cluster_id, endpoint.namespace):
        raise _no_worker()
    return worker


async def logs_of(dapr: DaprClient, worker_id: UUID) -> list[LogLine]:
    """Return what a worker has written, whosever it is; raises what `worker_of` does."""
    try:
        return await budcluster_deployments.worker_logs(dapr, worker_id)
    except PeerRefused as error:
        raise _known(error, _no_worker()) from error


async def _released(session: ReadSession, caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Return the endpoint, with the connection given back for the time in which budcluster is asked."""
    endpoint = await reach_endpoint(session, caller, endpoint_id)
    await release(session)
    return endpoint


def _no_worker() -> NotFound:
    """Return the one answer for what nobody has and for what is another deployment's."""
    return NotFound("Worker not found", param="worker_id")


def _known(error: PeerRefused, unknown: NotFound) -> Exception:
    return unknown if error.peer_status == _NOT_FOUND else error
