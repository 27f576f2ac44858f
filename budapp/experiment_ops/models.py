from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    String,
    UniqueConstraint,
    Uuid,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.encrypted_columns import sealed


class EvaluationStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    DELETED = "deleted"


class EvalTag(TenantOwned, Base):
    """A word for experiments; of words that differ in case alone the tenant has one."""

    __tablename__ = "eval_tag"
    audited = Audited("experiment", name="name")

    name: Mapped[str] = mapped_column(String(20))
    description: Mapped[str | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class Experiment(TenantOwned, Base):
    """A question that evaluations are to answer; its name, in lower case, is its creator's own."""

    __tablename__ = "experiment"
    audited = Audited("experiment", name="name")
    __table_args__ = (CheckConstraint("status in ('active', 'deleted')", name="status"),)

    name: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="active")
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    tag_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class Evaluation(TenantOwned, Base):
    """A deployment run against datasets; `key_encrypted` opens the deployment to budeval until the evaluation ends.

    `model_id` is what the deployment ran when it was evaluated.
    """

    __tablename__ = "evaluation"
    audited = Audited("experiment", name="name", ignored=("eta_seconds",))
    __table_args__ = (
        CheckConstraint("status in ('pending', 'running', 'completed', 'failed', 'cancelled')", name="status"),
        UniqueConstraint("experiment_id", "name"),
    )

    experiment_id: Mapped[UUID] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=EvaluationStatus.PENDING)
    reason: Mapped[str | None]
    workflow_id: Mapped[UUID | None]
    endpoint_id: Mapped[UUID]
    model_id: Mapped[UUID]
    trait_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list)
    started_at: Mapped[datetime | None]
    duration_in_seconds: Mapped[int | None]
    eta_seconds: Mapped[int | None]
    key_encrypted: Mapped[str | None] = sealed("evaluation:{id}")
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class EvaluationRun(TenantOwned, Base):
    """One dataset in an evaluation, or one that an experiment is to run; `raw_result` is what budeval said."""

    __tablename__ = "evaluation_run"
    audited = Audited("experiment", ignored=("raw_result",))
    __table_args__ = (
        CheckConstraint(
            "status in ('pending', 'running', 'completed', 'failed', 'cancelled', 'skipped', 'deleted')", name="status"
        ),
        UniqueConstraint("experiment_id", "run_index"),
    )

    experiment_id: Mapped[UUID] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"))
    evaluation_id: Mapped[UUID | None] = mapped_column(ForeignKey("evaluation.id", ondelete="CASCADE"), index=True)
    run_index: Mapped[int]
    endpoint_id: Mapped[UUID]
    model_id: Mapped[UUID]
    dataset_version_id: Mapped[UUID] = mapped_column(ForeignKey("eval_dataset_version.id"), index=True)
    status: Mapped[str] = mapped_column(default=RunStatus.PENDING)
    reason: Mapped[str | None]
    config: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    raw_result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class RunMetric(TenantOwned, Base):
    """A score of a run; `samples` is how many questions it rests on, where that is known.

    The first one of a run, by `position`, is the one that runs are compared by.
    """

    __tablename__ = "evaluation_metric"
    audited = NotAudited("what budeval has measured in a run that is in the trail itself")
    __table_args__ = (UniqueConstraint("run_id", "metric_name", "mode"),)

    run_id: Mapped[UUID] = mapped_column(ForeignKey("evaluation_run.id", ondelete="CASCADE"))
    metric_name: Mapped[str]
    mode: Mapped[str]
    metric_value: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    samples: Mapped[int | None]
    position: Mapped[int]


Index(
    "uq_experiment_created_by_name",
    Experiment.created_by,
    Experiment.name,
    unique=True,
    postgresql_where=not_deleted(Experiment),
)
Index(
    "ix_experiment_tenant_id_created_at",
    Experiment.tenant_id,
    Experiment.created_at.desc(),
    Experiment.id.desc(),
    postgresql_where=not_deleted(Experiment),
)
Index("uq_eval_tag_tenant_id_name", EvalTag.tenant_id, func.lower(EvalTag.name), unique=True)
Index("ix_evaluation_tenant_id_created_at", Evaluation.tenant_id, Evaluation.created_at.desc(), Evaluation.id.desc())
Index("ix_evaluation_endpoint_id", Evaluation.endpoint_id)
Index("ix_evaluation_model_id", Evaluation.model_id)
Index(
    "ix_evaluation_run_endpoint_id",
    EvaluationRun.endpoint_id,
    postgresql_where=EvaluationRun.status == literal_column("'completed'"),
)
