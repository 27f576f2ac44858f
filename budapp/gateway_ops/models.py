from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.feeding import FeedsGateway


class TokenPurpose(StrEnum):
    PLAYGROUND = "playground"
    EVALUATION = "evaluation"


class GatewayToken(TenantOwned, Base):
    """Something that is no API key and opens the gateway for a while: an access token, or a key for one evaluation.

    It opens what `user_id` may call: in one project, or without `project_id` in all that they reach. An access token
    counts no longer than its session (`session_id`).
    """

    __tablename__ = "gateway_token"
    audited = Audited("token", name="purpose", secrets={"hashed_token"})
    feeds_gateway = FeedsGateway({"key": ("hashed_token",)})
    __table_args__ = (CheckConstraint("purpose in ('playground', 'evaluation')", name="purpose"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[str | None] = mapped_column(index=True)
    purpose: Mapped[str]
    hashed_token: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    endpoint_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
