"""What budcluster tells of deployments, brought to their rows."""

from pydantic import ValidationError

from budapp.commons.database import WriteSession
from budapp.commons.logging import get_logger
from budapp.commons.scopes import Scope
from budapp.commons.storable import clean_text
from budapp.endpoint_ops import crud
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.endpoint_ops.status import Report, State, after_report
from budapp.events.notify import notify_users
from budapp.events.schemas import Event
from budapp.integrations.deployment_reports import DeploymentReport, ReportedWorker
from budapp.project_ops.services import members_holding

logger = get_logger(__name__)

_MAX_REASON = 500
_MESSAGES = {
    EndpointStatus.RUNNING: "The deployment is running",
    EndpointStatus.PENDING: "The deployment waits",
    EndpointStatus.UNHEALTHY: "The deployment is unhealthy",
}


async def take_report(session: WriteSession, event: Event) -> None:
    """Bring a status event to its endpoint; one that came late, comes again or is not possible changes nothing."""
    try:
        report = DeploymentReport.model_validate(event.payload.content.result)
    except ValidationError as error:
        logger.warning("deployment_report_unreadable", problems=error.error_count())
        return
    endpoint = await crud.lock_reported(session, report.cluster_id, report.deployment_name)
    if endpoint is None:
        logger.info("deployment_report_ignored", bud_cluster_id=str(report.cluster_id), why="no such endpoint")
        return
    state = State(EndpointStatus(endpoint.status), endpoint.reason, endpoint.status_sync_at)
    reason = clean_text(report.why[:_MAX_REASON]) if report.why else None
    after = after_report(state, Report(report.status, reason, event.time))
    if isinstance(after, str):
        logger.warning("deployment_report_refused", endpoint=str(endpoint.id), reported=report.status[:50], why=after)
        return
    if report.worker_data_list is not None:
        _count(endpoint, report.worker_data_list)
    endpoint.status, endpoint.reason, endpoint.status_sync_at = after.status, after.reason, after.reported_at
    if after.status != state.status:
        await _tell(session, endpoint, after)


def _count(endpoint: Endpoint, workers: list[ReportedWorker]) -> None:
    running = [worker for worker in workers if worker.runs]
    endpoint.total_replicas, endpoint.active_replicas = len(workers), len(running)
    endpoint.node_list = list(dict.fromkeys(worker.node_name for worker in running))
    endpoint.number_of_nodes = len(endpoint.node_list)


async def _tell(session: WriteSession, endpoint: Endpoint, after: State) -> None:
    """Tell who has deployed it, and who manages endpoints in the project."""
    await session.flush()
    members = await members_holding(session, endpoint.project_id, Scope.ENDPOINT_MANAGE)
    await notify_users(
        session,
        aggregate=f"endpoint:{endpoint.id}",
        subscriber_ids={endpoint.created_by, *members},
        type=f"deployment_{after.status}",
        title=endpoint.name,
        message=after.reason or _MESSAGES[after.status],
        target=("endpoint", endpoint.id),
        project_id=endpoint.project_id,
        status="FAILED" if after.status == EndpointStatus.UNHEALTHY else "COMPLETED",
    )
