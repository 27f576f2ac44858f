from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned, now


class PublicationAction(StrEnum):
    PUBLISH = "publish"
    UNPUBLISH = "unpublish"


class PublicationHistory(TenantOwned, Base):
    """When an endpoint was published or withdrawn, by whom, and what it was before and after."""

    __tablename__ = "publication_history"
    audited = NotAudited("a record itself; the change of the endpoint is in the trail")
    __table_args__ = (CheckConstraint("action in ('publish', 'unpublish')", name="action"),)

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    action: Mapped[str]
    performed_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    performed_at: Mapped[datetime] = mapped_column(default=now)
    action_metadata: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    previous_state: Mapped[dict[str, Any]] = mapped_column(JSONB)
    new_state: Mapped[dict[str, Any]] = mapped_column(JSONB)


Index(
    "ix_publication_history_deployment_id_performed_at",
    PublicationHistory.deployment_id,
    PublicationHistory.performed_at.desc(),
    PublicationHistory.id.desc(),
)
