from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal_column, select

from budapp.commons.crud import Crud, Page, prepared
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import NotFound
from budapp.commons.isolation import is_due
from budapp.commons.leases import is_free, take
from budapp.commons.paging import equal, matching
from budapp.commons.scopes import Scope
from budapp.workflow_ops.models import (
    AttemptState,
    Visibility,
    Workflow,
    WorkflowAttempt,
    WorkflowStatus,
    WorkflowStep,
)
from budapp.workflow_ops.schemas import WorkflowQuery

SORTABLE = {
    name: getattr(Workflow, name)
    for name in ("id", "title", "workflow_type", "current_step", "created_at", "modified_at")
}
LIVE = (AttemptState.ASKING, AttemptState.RUNNING)

_SUMMARY = (
    "id",
    "title",
    "icon",
    "tag",
    "progress",
    "workflow_type",
    "total_steps",
    "status",
    "current_step",
    "reason",
    "created_at",
    "modified_at",
)


class WorkflowCrud(Crud[Workflow]):
    """The workflows of the caller; for those who manage users, of everyone in the tenant."""

    model = Workflow
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add whose workflows they are."""
        mine = [] if self.caller.may(Scope.USER_MANAGE) else [Workflow.created_by == self.caller.user_id]
        return [*super().reach(), *mine]

    async def page_of_open(self, query: WorkflowQuery) -> Page:
        """Return a page of the caller's own workflows that go on, as `WorkflowSummary` columns."""
        return await self.page(query, self._open(query), SORTABLE)

    @prepared
    def _open(self, query: WorkflowQuery) -> Select[Any]:
        return self.visible(*(getattr(Workflow, name) for name in _SUMMARY)).where(
            Workflow.created_by == self.caller.user_id,
            Workflow.status == literal_column(f"'{WorkflowStatus.IN_PROGRESS}'"),
            Workflow.visibility == literal_column(f"'{Visibility.PUBLIC}'"),
            *equal(query, workflow_type=Workflow.workflow_type),
            *matching(query, title=Workflow.title),
        )

    async def with_data(self, workflow_id: UUID) -> tuple[Workflow, dict[str, Any]]:
        """Return the workflow and what its steps say, in one statement; or raise `NotFound`."""
        statement = (
            self.visible(Workflow, WorkflowStep.data)
            .outerjoin(WorkflowStep, WorkflowStep.workflow_id == Workflow.id)
            .where(Workflow.id == workflow_id)
            .order_by(WorkflowStep.step_number)
        )
        rows = (await self.session.execute(statement)).all()
        if not rows:
            raise NotFound("Workflow not found")
        return rows[0][0], merged(row[1] for row in rows if row[1] is not None)


def merged(steps: Any) -> dict[str, Any]:
    """Return what the steps say together; the later one counts."""
    return {key: value for data in steps for key, value in data.items()}


async def lock(session: ReadSession, workflow_id: UUID) -> Workflow | None:
    """Return the workflow, locked, whoever's it is."""
    statement = select(Workflow).where(Workflow.id == workflow_id).with_for_update()
    found: Workflow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return found


async def workflow_of(session: ReadSession, workflow_id: UUID) -> Workflow:
    """Return a workflow that is known to be there, whoever asks."""
    return await session.get_one(Workflow, workflow_id)


async def steps_of(session: ReadSession, workflow_id: UUID) -> list[WorkflowStep]:
    """Return the steps in their order."""
    statement = select(WorkflowStep).where(WorkflowStep.workflow_id == workflow_id).order_by(WorkflowStep.step_number)
    return list(await session.scalars(statement.execution_options(populate_existing=True)))


async def last_attempt(session: ReadSession, workflow_id: UUID) -> WorkflowAttempt | None:
    """Return the newest attempt; lock the workflow before."""
    statement = select(WorkflowAttempt).where(WorkflowAttempt.workflow_id == workflow_id)
    newest = statement.order_by(WorkflowAttempt.number.desc()).limit(1)
    found: WorkflowAttempt | None = await session.scalar(newest.execution_options(populate_existing=True))
    return found


async def lock_of(session: ReadSession, correlation_id: UUID) -> Workflow | None:
    """Return the workflow that an event is about, locked."""
    attempt = select(WorkflowAttempt.workflow_id).where(WorkflowAttempt.correlation_id == correlation_id)
    statement = select(Workflow).where(Workflow.id == attempt.scalar_subquery()).with_for_update()
    found: Workflow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return found


async def last_attempt_with_steps(
    session: ReadSession, workflow_id: UUID
) -> tuple[WorkflowAttempt | None, list[WorkflowStep]]:
    """Return the newest attempt and the steps in their order; lock the workflow before."""
    newest = select(func.max(WorkflowAttempt.number)).where(WorkflowAttempt.workflow_id == workflow_id)
    statement = (
        select(WorkflowAttempt, WorkflowStep)
        .outerjoin(WorkflowStep, WorkflowStep.workflow_id == WorkflowAttempt.workflow_id)
        .where(WorkflowAttempt.workflow_id == workflow_id, WorkflowAttempt.number == newest.scalar_subquery())
        .order_by(WorkflowStep.step_number)
    )
    rows: Sequence[Any] = (await session.execute(statement.execution_options(populate_existing=True))).all()
    return (rows[0][0] if rows else None), [row[1] for row in rows if row[1] is not None]


async def take_over(session: WriteSession, attempt: WorkflowAttempt, length: timedelta) -> bool:
    """Take the lease of an attempt; False where another process still has it."""
    this = select(WorkflowAttempt.id).where(WorkflowAttempt.id == attempt.id)
    return bool(await take(session, WorkflowAttempt, this, length))


async def stuck_asking(session: ReadSession, job: str, limit: int) -> Sequence[UUID]:
    """Return the workflows whose asking was cut off, the lease being over, and that the job may try now."""
    due = is_due(job, WorkflowAttempt.workflow_id)
    cut_off = (WorkflowAttempt.state == AttemptState.ASKING, is_free(WorkflowAttempt), due)
    return (await session.scalars(select(WorkflowAttempt.workflow_id).where(*cut_off).limit(limit))).all()


async def overdue(session: ReadSession, job: str, moment: datetime, limit: int) -> Sequence[UUID]:
    """Return the workflows whose service has been silent for too long, and that the job may try now."""
    due = is_due(job, WorkflowAttempt.workflow_id)
    silent = (WorkflowAttempt.state == AttemptState.RUNNING, WorkflowAttempt.deadline_at <= moment, due)
    return (await session.scalars(select(WorkflowAttempt.workflow_id).where(*silent).limit(limit))).all()


async def stale_drafts(session: ReadSession, job: str, before: datetime, limit: int) -> Sequence[UUID]:
    """Return the open workflows that nobody works on and nobody has touched since, and that the job may try now."""
    live = select(func.count()).where(WorkflowAttempt.workflow_id == Workflow.id, WorkflowAttempt.state.in_(LIVE))
    stale = (Workflow.status == WorkflowStatus.IN_PROGRESS, Workflow.modified_at < before, is_due(job, Workflow.id))
    statement = select(Workflow.id).where(*stale, live.scalar_subquery() == 0).limit(limit)
    return (await session.scalars(statement)).all()
