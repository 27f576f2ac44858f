"""What becomes of an endpoint when budcluster tells of it: a table. No database here."""

from dataclasses import dataclass
from datetime import datetime

from budapp.endpoint_ops.models import EndpointStatus

REPORTED = {
    "ready": EndpointStatus.RUNNING,
    "pending": EndpointStatus.PENDING,
    "ingress_failed": EndpointStatus.UNHEALTHY,
    "endpoints_failed": EndpointStatus.UNHEALTHY,
    "failed": EndpointStatus.UNHEALTHY,
    "error": EndpointStatus.UNHEALTHY,
}
"""What budcluster says → what the endpoint is then. What is not here says nothing of it."""

_REASONS = {
    "pending": "The deployment waits for its workers",
    "ingress_failed": "The deployment can't be reached at its address",
    "endpoints_failed": "The model does not answer",
    "failed": "No worker of the deployment runs",
    "error": "budcluster can't tell how the deployment is",
}

_REPORTABLE = frozenset(REPORTED.values())

TRANSITIONS: dict[EndpointStatus, frozenset[EndpointStatus]] = {
    EndpointStatus.RUNNING: _REPORTABLE,
    EndpointStatus.PENDING: _REPORTABLE,
    EndpointStatus.UNHEALTHY: _REPORTABLE,
    EndpointStatus.DEPLOYING: _REPORTABLE,
    EndpointStatus.FAILURE: _REPORTABLE,
    EndpointStatus.DELETING: frozenset(),
    EndpointStatus.DELETED: frozenset(),
}
"""From each status to those that a report may lead to. That an endpoint is deleted is said by a workflow alone."""


@dataclass(frozen=True, slots=True)
class State:
    """What an endpoint is, as far as reports go.

    Attributes:
        status: now.
        reason: why, where it is not running.
        reported_at: the time of the newest report that counted.
    """

    status: EndpointStatus
    reason: str | None
    reported_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """What budcluster reported, and when, by its clock."""

    status: str
    reason: str | None
    at: datetime


def after_report(state: State, report: Report) -> State | str:
    """Return what the endpoint is after a report, or in words why the report does not count."""
    if state.reported_at is not None and report.at <= state.reported_at:
        return "an event as new as this one, or newer, has counted already"
    status = REPORTED.get(report.status)
    if status is None:
        return "an unknown status"
    if status not in TRANSITIONS[state.status]:
        return f"an endpoint that is {state.status} does not become {status}"
    reason = None if status == EndpointStatus.RUNNING else report.reason or _REASONS[report.status]
    return State(status, reason, report.at)
