"""What waits, what is stuck and what has failed, of all tenants: for those who run the platform."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, literal, select, union_all

from budapp.audit.models import audit_unsealed
from budapp.commons.database import ReadSession
from budapp.commons.jobs import JobSchedule
from budapp.events.models import InboxMessage, OutboxMessage
from budapp.workflow_ops.models import AttemptState, Workflow, WorkflowAttempt, WorkflowStatus

_LAST = 10


def _count(table: Any, *conditions: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()


def _age(moment: Any, *conditions: ColumnElement[bool]) -> Any:
    age = func.extract("epoch", func.now() - func.min(moment))
    return select(func.coalesce(age, 0)).where(*conditions).scalar_subquery()


async def numbers(session: ReadSession) -> Row[Any]:
    """Return how much waits, is given up, is open and is stuck, in one statement."""
    waiting, unhandled = OutboxMessage.dead_at.is_(None), InboxMessage.next_attempt_at.is_not(None)
    is_open = Workflow.status == WorkflowStatus.IN_PROGRESS
    late = WorkflowAttempt.deadline_at < func.now()
    statement = select(
        _count(OutboxMessage, waiting).label("outbox_waiting"),
        _age(OutboxMessage.created_at, waiting).label("outbox_seconds"),
        _count(OutboxMessage, waiting, OutboxMessage.attempts > 0).label("outbox_failing"),
        _count(OutboxMessage, ~waiting).label("outbox_dead"),
        _count(InboxMessage, unhandled).label("inbox_waiting"),
        _age(InboxMessage.created_at, unhandled).label("inbox_seconds"),
        _count(InboxMessage, InboxMessage.dead_at.is_not(None)).label("inbox_dead"),
        _count(Workflow, is_open).label("workflows_open"),
        _count(WorkflowAttempt, WorkflowAttempt.state.in_(_ALIVE)).label("workflows_running"),
        _count(WorkflowAttempt, WorkflowAttempt.state.in_(_ALIVE), late).label("workflows_stuck"),
        _age(Workflow.created_at, is_open).label("workflows_open_seconds"),
        _age(WorkflowAttempt.created_at, WorkflowAttempt.state.in_(_ALIVE)).label("workflows_running_seconds"),
        _age(WorkflowAttempt.deadline_at, WorkflowAttempt.state.in_(_ALIVE), late).label("workflows_stuck_seconds"),
        _count(audit_unsealed).label("audit_unsealed"),
    )
    found: Any = (await session.execute(statement)).one()
    return found  # type: ignore[no-any-return]


_ALIVE = (AttemptState.ASKING, AttemptState.RUNNING)


async def jobs(session: ReadSession) -> Sequence[Row[Any]]:
    """Return name, last run and next run of the jobs, and until when one runs now."""
    columns = (JobSchedule.name, JobSchedule.modified_at, JobSchedule.due_at, JobSchedule.lock_expires_at)
    rows: Sequence[Any] = (await session.execute(select(*columns).order_by(JobSchedule.name))).all()
    return rows


async def errors(session: ReadSession) -> Sequence[Row[Any]]:
    """Return `at`, `kind`, `what` and `why` of the last things that failed, the newest first."""
    found = union_all(
        _failed("message", OutboxMessage.modified_at, OutboxMessage.target, OutboxMessage.last_error).where(
            OutboxMessage.last_error.is_not(None)
        ),
        _failed("event", InboxMessage.modified_at, InboxMessage.type, InboxMessage.last_error).where(
            InboxMessage.last_error.is_not(None)
        ),
        _failed("workflow", Workflow.modified_at, Workflow.workflow_type, Workflow.reason).where(
            Workflow.status == WorkflowStatus.FAILED
        ),
    ).subquery()
    statement = select(found).order_by(found.c.at.desc()).limit(_LAST)
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


def _failed(kind: str, moment: Any, what: Any, why: Any) -> Select[Any]:
    columns = (moment.label("at"), literal(kind).label("kind"), what.label("what"), why.label("why"))
    return select(*columns).order_by(moment.desc()).limit(_LAST)
