from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    func,
    or_,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.announcing import Announced, columns
from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.feeding import FeedsGateway
from budapp.commons.scopes import Scope
from budapp.provider_ops.models import PROVIDER_TYPES


class ModelStatus(StrEnum):
    ACTIVE = "active"
    DELETED = "deleted"


class Model(TenantOwned, Base):
    """A model in a tenant's repository: of a cloud, or with files of its own under `local_path`.

    Sizes are in bytes, `model_size` in parameters. `unread_info` holds, by path, what budmodel said in another
    shape than the columns have.
    """

    __tablename__ = "model"
    audited = Audited("model", name="name", ignored={"storage_size_gb", "recommended_cluster_sync_at", "unread_info"})
    feeds_gateway = FeedsGateway({"model": ("id",)}, when=("source", "provider_type"))
    announced = Announced(
        "model",
        made="model.status",
        changed={"model.status": ("status",)},
        shows=columns("name", "status", "provider_type"),
        scope=Scope.MODEL_VIEW,
    )
    __table_args__ = (
        CheckConstraint("status in ('active', 'deleted')", name="status"),
        CheckConstraint(PROVIDER_TYPES, name="provider_type"),
        CheckConstraint(
            "base_model_relation in ('adapter', 'merge', 'quantized', 'finetune')", name="base_model_relation"
        ),
    )

    name: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    tasks: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    author: Mapped[str | None]
    model_size: Mapped[int | None] = mapped_column(BigInteger)
    icon: Mapped[str | None]
    github_url: Mapped[str | None]
    huggingface_url: Mapped[str | None]
    website_url: Mapped[str | None]
    bud_verified: Mapped[bool] = mapped_column(default=False)
    scan_verified: Mapped[bool | None]
    eval_verified: Mapped[bool] = mapped_column(default=False)
    strengths: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    limitations: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    languages: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    use_cases: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    minimum_requirements: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    examples: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    base_model: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    base_model_relation: Mapped[str | None]
    model_type: Mapped[str | None]
    family: Mapped[str | None]
    model_weights_size: Mapped[int | None] = mapped_column(BigInteger)
    storage_size_gb: Mapped[float | None]
    kv_cache_size: Mapped[int | None] = mapped_column(BigInteger)
    architecture_text_config: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    architecture_vision_config: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    architecture_audio_config: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    unread_info: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    status: Mapped[str] = mapped_column(default=ModelStatus.ACTIVE)
    modality: Mapped[list[str]] = mapped_column(ARRAY(String))
    source: Mapped[str]
    provider_type: Mapped[str]
    uri: Mapped[str]
    local_path: Mapped[str | None]
    provider_id: Mapped[UUID | None] = mapped_column(ForeignKey("provider.id"))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    recommended_cluster_sync_at: Mapped[datetime | None]
    supported_endpoints: Mapped[list[str]] = mapped_column(ARRAY(String))
    max_input_tokens: Mapped[int | None]


class Paper(TenantOwned, Base):
    """A paper about a model."""

    __tablename__ = "paper_published"
    audited = Audited("model", name="title")

    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), index=True)
    title: Mapped[str | None]
    authors: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    url: Mapped[str | None]


class LicenseKind(StrEnum):
    """Whether a license is an address, or a file in the object store."""

    URL = "url"
    MINIO = "minio"


class License(TenantOwned, Base):
    """The license of a model: an address, or an object in the store, named by `path`."""

    __tablename__ = "model_licenses"
    audited = Audited("model", name="name")
    __table_args__ = (CheckConstraint("data_type in ('url', 'minio')", name="data_type"),)

    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str | None]
    url: Mapped[str | None]
    path: Mapped[str | None]
    faqs: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    license_type: Mapped[str | None]
    description: Mapped[str | None]
    suitability: Mapped[str | None]
    data_type: Mapped[str] = mapped_column(default=LicenseKind.URL)


class SecurityScan(TenantOwned, Base):
    """What the last security scan of a model found; `status` is the highest severity, or `safe`."""

    __tablename__ = "model_security_scan_result"
    audited = Audited("model")
    __table_args__ = (
        UniqueConstraint("model_id"),
        CheckConstraint("status in ('low', 'medium', 'high', 'critical', 'safe')", name="status"),
    )

    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"))
    status: Mapped[str]
    total_issues: Mapped[int]
    total_scanned_files: Mapped[int]
    total_skipped_files: Mapped[int]
    scanned_files: Mapped[list[str]] = mapped_column(ARRAY(String))
    low_severity_count: Mapped[int]
    medium_severity_count: Mapped[int]
    high_severity_count: Mapped[int]
    critical_severity_count: Mapped[int]
    model_issues: Mapped[dict[str, Any]] = mapped_column(JSONB)


def lacks_recommendation(before: datetime) -> ColumnElement[bool]:
    """Return the condition for models for which no cluster was looked for since."""
    looked_at = Model.recommended_cluster_sync_at
    return and_(not_deleted(Model), or_(looked_at.is_(None), looked_at < before))


def same_text(one: Any, other: Any) -> ColumnElement[bool]:
    """Return the condition that two names, or two uris, of models are the same: case makes no difference."""
    return func.lower(one) == func.lower(other)


Index("uq_model_name", Model.tenant_id, func.lower(Model.name), unique=True, postgresql_where=not_deleted(Model))
Index(
    "uq_model_source_uri",
    Model.tenant_id,
    Model.source,
    func.lower(Model.uri),
    unique=True,
    postgresql_where=not_deleted(Model),
)
Index(
    "ix_model_created_at",
    Model.tenant_id,
    Model.created_at.desc(),
    Model.id.desc(),
    postgresql_where=not_deleted(Model),
    postgresql_include=["name", "provider_id"],
)
Index("ix_model_author", Model.tenant_id, Model.author, postgresql_where=not_deleted(Model))
Index(
    "ix_model_tags",
    Model.tags,
    postgresql_using="gin",
    postgresql_ops={"tags": "jsonb_path_ops"},
    postgresql_where=not_deleted(Model),
)
Index(
    "ix_model_tasks",
    Model.tasks,
    postgresql_using="gin",
    postgresql_ops={"tasks": "jsonb_path_ops"},
    postgresql_where=not_deleted(Model),
)
Index("ix_model_base_model", Model.base_model, postgresql_using="gin", postgresql_where=not_deleted(Model))
