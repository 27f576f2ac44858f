from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, not_deleted

PROVIDER_TYPES = "provider_type in ('cloud_model', 'hugging_face', 'url', 'disk')"


class ProviderType(StrEnum):
    """Where a model comes from."""

    CLOUD_MODEL = "cloud_model"
    HUGGING_FACE = "hugging_face"
    URL = "url"
    DISK = "disk"


class Provider(Base):
    """A company whose models run in its own cloud, or a hub; the same for all tenants.

    `position` is the provider's place in the catalog, where those that people look for come first.
    """

    __tablename__ = "provider"
    audited = NotAudited("the catalog as it is published, the same for all")

    name: Mapped[str]
    type: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    icon: Mapped[str]
    position: Mapped[int] = mapped_column(default=0, server_default="0")
    is_active: Mapped[bool] = mapped_column(default=True)
    capabilities: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)


class CloudModel(Base):
    """A model that a provider runs; a tenant onboards it. The same for all tenants."""

    __tablename__ = "cloud_model"
    audited = NotAudited("the catalog as it is published, the same for all")
    __table_args__ = (
        CheckConstraint("status in ('active', 'deleted')", name="status"),
        CheckConstraint(PROVIDER_TYPES, name="provider_type"),
    )

    name: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    tasks: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    author: Mapped[str | None]
    model_size: Mapped[int | None] = mapped_column(BigInteger)
    github_url: Mapped[str | None]
    huggingface_url: Mapped[str | None]
    website_url: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="active")
    modality: Mapped[list[str]] = mapped_column(ARRAY(String))
    source: Mapped[str]
    provider_type: Mapped[str] = mapped_column(default=ProviderType.CLOUD_MODEL)
    uri: Mapped[str] = mapped_column(unique=True)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("provider.id"))
    deprecation_date: Mapped[date | None]
    max_input_tokens: Mapped[int | None]
    input_cost: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    output_cost: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    supported_endpoints: Mapped[list[str]] = mapped_column(ARRAY(String))


Index("ix_cloud_model_provider_id", CloudModel.provider_id)
Index(
    "ix_cloud_model_created_at",
    CloudModel.created_at.desc(),
    CloudModel.id.desc(),
    postgresql_where=not_deleted(CloudModel),
    postgresql_include=["name", "provider_id"],
)
Index(
    "ix_cloud_model_tags",
    CloudModel.tags,
    postgresql_using="gin",
    postgresql_ops={"tags": "jsonb_path_ops"},
    postgresql_where=not_deleted(CloudModel),
)
