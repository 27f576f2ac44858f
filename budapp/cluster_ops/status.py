"""What becomes of a cluster when budcluster tells of it, or falls silent: a table, and the counts. No database here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from budapp.cluster_ops.models import ClusterStatus
from budapp.integrations.budcluster import ClusterNode

PERIOD = timedelta(minutes=10)
"""How often budcluster tells of each cluster."""
SILENT_AFTER = 3 * PERIOD
DELETING_AT_MOST = timedelta(days=1)

NOT_DELETED_IN_TIME = "budcluster has not deleted the cluster within a day; delete it again"
_LARGEST = 2**31 - 1
_KINDS = {"cpu": "cpu", "cpu_high": "cpu", "gpu": "gpu", "cuda": "gpu", "hpu": "hpu"}

REPORTED = frozenset({ClusterStatus.AVAILABLE, ClusterStatus.NOT_AVAILABLE, ClusterStatus.ERROR})
"""What budcluster may say. That a cluster is deleted is said by a workflow alone."""

TRANSITIONS: dict[ClusterStatus, frozenset[ClusterStatus]] = {
    ClusterStatus.AVAILABLE: REPORTED,
    ClusterStatus.NOT_AVAILABLE: REPORTED,
    ClusterStatus.ERROR: REPORTED,
    ClusterStatus.DELETING: frozenset(),
    ClusterStatus.DELETED: frozenset(),
}
"""From each status to those that a report may lead to; one that is not here changes nothing."""


@dataclass(frozen=True, slots=True)
class State:
    """What a cluster is, as far as reports go.

    Attributes:
        status: now.
        reason: why, where it is not available.
        reported_at: the time of the newest report that counted.
        deleting_since: since when it is being deleted.
    """

    status: ClusterStatus
    reason: str | None
    reported_at: datetime | None
    deleting_since: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """What budcluster reported, and when, by its clock."""

    status: str
    reason: str | None
    at: datetime


def after_report(state: State, report: Report) -> State | None:
    """Return what the cluster is after a report, or None where it changes nothing: it is older, or not possible."""
    if state.reported_at is not None and report.at < state.reported_at:
        return None
    if state.status == ClusterStatus.DELETING:
        return _overdue(state, report.at)
    if report.status not in TRANSITIONS[state.status]:
        return None
    status = ClusterStatus(report.status)
    reason = None if status == ClusterStatus.AVAILABLE else report.reason or _default_reason(status)
    return State(status, reason, report.at, None)


def after_silence(state: State, now: datetime, heard_at: datetime) -> State | None:
    """Return what the cluster is where nothing was heard of it since, or None where it stays as it is."""
    if state.status == ClusterStatus.DELETING:
        return _overdue(state, now)
    if state.status != ClusterStatus.AVAILABLE or now - heard_at < SILENT_AFTER:
        return None
    reason = f"budcluster has not reported the cluster since {heard_at:%Y-%m-%d %H:%M} UTC"
    return State(ClusterStatus.NOT_AVAILABLE, reason, state.reported_at, None)


def _overdue(state: State, now: datetime) -> State | None:
    if state.deleting_since is None or now - state.deleting_since <= DELETING_AT_MOST:
        return None
    return State(ClusterStatus.ERROR, NOT_DELETED_IN_TIME, state.reported_at, None)


def _default_reason(status: ClusterStatus) -> str:
    return "budcluster can't reach the cluster" if status == ClusterStatus.NOT_AVAILABLE else "budcluster has an error"


def counts_of(nodes: Iterable[ClusterNode]) -> dict[str, int]:
    """Return the counts of a cluster's row: devices, workers and nodes; of nodes that are down nothing is available."""
    counts = {f"{kind}_{of}": 0 for kind in ("cpu", "gpu", "hpu") for of in _OF_KIND}
    counts |= {"total_nodes": 0, "available_nodes": 0}
    for node in nodes:
        counts["total_nodes"] += 1
        counts["available_nodes"] += node.status
        for device in node.devices:
            kind = _KINDS.get(device.type.lower())
            if kind is not None:
                counts[f"{kind}_count"] += 1
                counts[f"{kind}_total_workers"] += device.available_count
                counts[f"{kind}_available_workers"] += device.available_count if node.status else 0
    return {name: min(count, _LARGEST) for name, count in counts.items()}


_OF_KIND = ("count", "total_workers", "available_workers")
