from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.feeding import FeedsGateway


class PromptStatus(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DELETED = "deleted"


class Prompt(TenantOwned, Base):
    """A prompt that is called like a model. budprompt keeps what it says, under `bud_prompt_id`.

    `pending` is one whose name is taken while budprompt still copies its first version; nobody sees it.
    """

    __tablename__ = "prompt"
    audited = Audited("config", name="name")
    feeds_gateway = FeedsGateway(
        {"prompt": ("id",), "project": ("project_id",)}, when=("status", "default_version_id", "project_id")
    )
    __table_args__ = (CheckConstraint("status in ('pending', 'active', 'deleted')", name="status"),)

    name: Mapped[str]
    bud_prompt_id: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    prompt_type: Mapped[str] = mapped_column(default="simple_prompt")
    auto_scale: Mapped[bool] = mapped_column(default=False)
    caching: Mapped[bool] = mapped_column(default=False)
    concurrency: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    rate_limit: Mapped[bool] = mapped_column(default=False)
    rate_limit_value: Mapped[int | None]
    default_version_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(default=PromptStatus.PENDING)


class PromptVersion(TenantOwned, Base):
    """A version of a prompt, and the deployment that answers it."""

    __tablename__ = "prompt_version"
    audited = Audited("config")
    feeds_gateway = FeedsGateway({"prompt": ("prompt_id",)}, when=("status", "endpoint_id", "model_id"))
    __table_args__ = (
        CheckConstraint("status in ('pending', 'active', 'deleted')", name="status"),
        UniqueConstraint("prompt_id", "version"),
    )

    prompt_id: Mapped[UUID] = mapped_column(ForeignKey("prompt.id", ondelete="CASCADE"))
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    model_id: Mapped[UUID]
    version: Mapped[int]
    status: Mapped[str] = mapped_column(default=PromptStatus.PENDING)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class PromptDraft(TenantOwned, Base):
    """Whose a draft in budprompt is, and until when; with a deployment, its owner can try it in the playground."""

    __tablename__ = "prompt_draft"
    audited = NotAudited("somebody's own sketch, which ends after a day; what becomes of it leaves entries")

    bud_prompt_id: Mapped[str] = mapped_column(unique=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    version: Mapped[int]
    endpoint_id: Mapped[UUID | None] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]


Index("uq_prompt_name", Prompt.tenant_id, func.lower(Prompt.name), unique=True, postgresql_where=not_deleted(Prompt))
Index("uq_prompt_bud_prompt_id", Prompt.bud_prompt_id, unique=True, postgresql_where=not_deleted(Prompt))
Index("ix_prompt_project_id", Prompt.project_id, Prompt.created_at.desc(), Prompt.id.desc())
Index("ix_prompt_version_endpoint_id", PromptVersion.endpoint_id)
Index("ix_prompt_draft_created_by", PromptDraft.created_by)
Index("ix_prompt_draft_expires_at", PromptDraft.expires_at)
