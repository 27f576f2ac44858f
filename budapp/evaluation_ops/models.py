from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base

_REFERENCE = NotAudited("reference data that comes with the service, or with the manifest")


class EvalTrait(Base):
    """Something that a model may be good at; `position` is its place in the manifest."""

    __tablename__ = "eval_trait"
    audited = _REFERENCE

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    icon: Mapped[str | None]
    category: Mapped[str | None]
    position: Mapped[int]


class EvalDataset(Base):
    """A benchmark: questions by which models are compared. What the manifest no longer names is deleted by its status.

    `eval_types` says what engines call it, by the way of asking; `higher_is_better` and `is_proportion` how its scores
    are read: a proportion is the share of the questions that were answered right, in percent.
    """

    __tablename__ = "eval_dataset"
    audited = _REFERENCE
    __table_args__ = (CheckConstraint("status in ('active', 'deleted')", name="status"),)

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="active")
    meta_links: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    config_validation_schema: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    estimated_input_tokens: Mapped[int | None]
    estimated_output_tokens: Mapped[int | None]
    language: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    domains: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    concepts: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    humans_vs_llm_qualifications: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    task_type: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    modalities: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    sample_questions_answers: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    advantages_disadvantages: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    eval_types: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    why_run_this_eval: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    what_to_expect: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    additional_info: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    metrics: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    evaluator: Mapped[str | None]
    is_proportion: Mapped[bool] = mapped_column(default=True)


class EvalDatasetVersion(Base):
    """What runs are about: later versions of a dataset may hold other questions. `sample_count` is their number."""

    __tablename__ = "eval_dataset_version"
    audited = _REFERENCE
    __table_args__ = (UniqueConstraint("dataset_id", "version"),)

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("eval_dataset.id", ondelete="CASCADE"))
    version: Mapped[str]
    sample_count: Mapped[int | None]
    is_current: Mapped[bool] = mapped_column(default=True)


class EvalTraitDataset(Base):
    """A dataset says something about a trait."""

    __tablename__ = "eval_trait_dataset"
    audited = _REFERENCE
    __table_args__ = (UniqueConstraint("trait_id", "dataset_id"),)

    trait_id: Mapped[UUID] = mapped_column(ForeignKey("eval_trait.id", ondelete="CASCADE"))
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("eval_dataset.id", ondelete="CASCADE"), index=True)


class EvalSync(Base):
    """The manifest that the tables were last made of: one row."""

    __tablename__ = "eval_sync"
    audited = NotAudited("when reference data came, not what somebody did")
    __table_args__ = (CheckConstraint("status in ('completed', 'failed')", name="status"),)

    source: Mapped[str]
    version: Mapped[str]
    digest: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str | None]
    synced_at: Mapped[datetime]


Index(
    "uq_eval_dataset_version_current",
    EvalDatasetVersion.dataset_id,
    unique=True,
    postgresql_where=literal_column("is_current"),
)
