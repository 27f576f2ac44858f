"""What budcluster tells of clusters, and what its silence says, brought to their rows."""

from datetime import datetime

from pydantic import ValidationError

from budapp.cluster_ops import crud
from budapp.cluster_ops.models import Cluster, ClusterStatus
from budapp.cluster_ops.status import (
    DELETING_AT_MOST,
    SILENT_AFTER,
    Report,
    State,
    after_report,
    after_silence,
    counts_of,
)
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.logging import get_logger
from budapp.events.notify import notify_users
from budapp.events.schemas import Event
from budapp.integrations.budcluster import ClusterReport

logger = get_logger(__name__)

_AT_ONCE = 100
_MAX_REASON = 500


async def take_report(session: WriteSession, event: Event) -> None:
    """Apply a status event to its cluster; one that came late, comes again or makes no sense changes nothing."""
    try:
        report = ClusterReport.model_validate(event.payload.content.result)
    except ValidationError as error:
        logger.warning("cluster_report_unreadable", problems=error.error_count())
        return
    cluster = await crud.lock_reported(session, report.cluster_id)
    if cluster is None:
        logger.info("cluster_report_ignored", bud_cluster_id=str(report.cluster_id), why="no such cluster")
        return
    reason = report.reason[:_MAX_REASON] if report.reason else None
    state = _state_of(cluster)
    after = after_report(state, Report(report.status, reason, event.time))
    if after is None:
        reported = report.status[:50]
        logger.info("cluster_report_ignored", cluster=str(cluster.id), status=cluster.status, reported=reported)
        return
    nodes = report.node_info.nodes if report.node_info is not None else []
    if nodes and after.status in (ClusterStatus.AVAILABLE, ClusterStatus.NOT_AVAILABLE):
        for name, count in counts_of(nodes).items():
            setattr(cluster, name, count)
    await _become(session, cluster, after)


async def watch_for_silence(database: Database) -> None:
    """Mark clusters of which nothing was heard for three periods, and those that were not deleted within a day."""
    while await _watch_some(database, now()) == _AT_ONCE:
        pass


async def _watch_some(database: Database, moment: datetime) -> int:
    async with database.write() as session:
        found = await crud.lock_silent(session, moment - SILENT_AFTER, moment - DELETING_AT_MOST, _AT_ONCE)
        for cluster in found:
            after = after_silence(_state_of(cluster), moment, cluster.status_sync_at or cluster.created_at)
            if after is not None:
                await _become(session, cluster, after)
    return len(found)


def _state_of(cluster: Cluster) -> State:
    return State(ClusterStatus(cluster.status), cluster.reason, cluster.status_sync_at, cluster.deleting_since)


async def _become(session: WriteSession, cluster: Cluster, after: State) -> None:
    """Give the cluster its state, and tell who has onboarded it where it can't be used any more."""
    lost = cluster.status == ClusterStatus.AVAILABLE and after.status != ClusterStatus.AVAILABLE
    overdue = cluster.status == ClusterStatus.DELETING
    cluster.status, cluster.reason = after.status, after.reason
    cluster.status_sync_at, cluster.deleting_since = after.reported_at, after.deleting_since
    if not (lost or overdue):
        return
    await notify_users(
        session,
        aggregate=f"cluster:{cluster.id}",
        subscriber_ids=[cluster.created_by],
        type=f"cluster_{after.status}",
        title=cluster.name,
        message=after.reason or "The cluster is not available",
        target=("cluster", cluster.id),
        status="FAILED",
        icon=cluster.icon,
    )
