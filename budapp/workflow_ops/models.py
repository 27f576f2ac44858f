from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.announcing import Announced
from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.leases import LeasedRow
from budapp.commons.scopes import Scope


class WorkflowStatus(StrEnum):
    """`in_progress` until one of the others; only `failed` can be left again, by a retry."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Visibility(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"


def _shown(workflow: "Workflow") -> dict[str, Any]:
    """Return what those who follow it are told: how far it is, and how far the service is with each step."""
    progress = workflow.progress or {}
    steps = [
        {"id": step["id"], "title": step.get("title"), "status": _status_of(step)} for step in progress.get("steps", ())
    ]
    names = ("workflow_type", "title", "status", "reason", "current_step", "total_steps")
    about = {name: getattr(workflow, name) for name in names}
    return {**about, "eta": progress.get("eta"), "list": progress.get("progress_type"), "steps": steps}


def _status_of(step: dict[str, Any]) -> str | None:
    content = (step.get("payload") or {}).get("content") or {}
    return content.get("status")


class Workflow(TenantOwned, Base):
    """What somebody does in several steps, the last of which another service works on.

    Everything that changes a workflow, its steps or its attempts locks this row first.
    """

    __tablename__ = "workflow"
    audited = Audited("workflow", name="title", ignored={"progress"})
    announced = Announced(
        "workflow",
        made="workflow.status",
        changed={"workflow.step": ("progress", "current_step"), "workflow.status": ("status",)},
        shows=_shown,
        owner="created_by",
        or_scope=Scope.USER_MANAGE,
    )
    __table_args__ = (
        CheckConstraint("status in ('in_progress', 'completed', 'failed', 'cancelled')", name="status"),
        CheckConstraint("visibility in ('public', 'internal')", name="visibility"),
    )

    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    workflow_type: Mapped[str]
    status: Mapped[str] = mapped_column(default=WorkflowStatus.IN_PROGRESS)
    visibility: Mapped[str] = mapped_column(default=Visibility.PUBLIC)
    title: Mapped[str | None]
    icon: Mapped[str | None]
    tag: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    current_step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int]
    reason: Mapped[str | None]
    callback_topic: Mapped[str | None]


class WorkflowStep(TenantOwned, Base):
    """What is known from one step on; what later steps say about the same thing counts."""

    __tablename__ = "workflow_step"
    audited = NotAudited("the workflow that it is a step of leaves entries")
    __table_args__ = (UniqueConstraint("workflow_id", "step_number"),)

    workflow_id: Mapped[UUID] = mapped_column(ForeignKey("workflow.id", ondelete="CASCADE"))
    step_number: Mapped[int]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class AttemptState(StrEnum):
    """`asking` until the service has answered, `running` while it works; the others are final."""

    ASKING = "asking"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WorkflowAttempt(TenantOwned, LeasedRow):
    """One time that another service was asked to do a workflow's task.

    Attributes:
        task: the name of the task among those of the workflow's type.
        correlation_id: what the service names in its events. The first attempt has the workflow's own id; later ones
            have ids of their own, so that events of an attempt that is over are known for what they are.
        peer_workflow_id: what the service calls its work.
        step_number: where the list of its steps is kept.
        early_events: what the service told before its answer was stored.
        lock_expires_at: when the process that asks must have stored the answer; another one goes on from there.
        deadline_at: when a service that has said nothing more is given up.
    """

    __tablename__ = "workflow_attempt"
    audited = NotAudited("what becomes of its workflow leaves entries")
    __table_args__ = (
        UniqueConstraint("workflow_id", "number"),
        CheckConstraint("state in ('asking', 'running', 'completed', 'failed', 'cancelled')", name="state"),
    )

    workflow_id: Mapped[UUID] = mapped_column(ForeignKey("workflow.id", ondelete="CASCADE"))
    number: Mapped[int]
    task: Mapped[str] = mapped_column(default="main", server_default="main")
    state: Mapped[str] = mapped_column(default=AttemptState.ASKING)
    correlation_id: Mapped[UUID] = mapped_column(unique=True)
    peer_workflow_id: Mapped[str | None]
    step_number: Mapped[int]
    early_events: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    lock_expires_at: Mapped[datetime | None] = mapped_column("lease_expires_at")
    deadline_at: Mapped[datetime | None]
    reason: Mapped[str | None]


_open = Workflow.status == literal_column("'in_progress'")
_live = WorkflowAttempt.state.in_([literal_column("'asking'"), literal_column("'running'")])

Index("ix_workflow_open", Workflow.created_by, Workflow.modified_at.desc(), Workflow.id.desc(), postgresql_where=_open)
Index("ix_workflow_stale", Workflow.modified_at, postgresql_where=_open)
Index("uq_workflow_attempt_live", WorkflowAttempt.workflow_id, unique=True, postgresql_where=_live)
Index("ix_workflow_attempt_due", WorkflowAttempt.state, WorkflowAttempt.deadline_at, postgresql_where=_live)
