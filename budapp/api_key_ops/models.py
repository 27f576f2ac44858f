from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.encrypted_columns import sealed


class CredentialType(StrEnum):
    CLIENT_APP = "client_app"
    ADMIN_APP = "admin_app"


class Credential(TenantOwned, Base):
    """An API key for the gateway, which a user made in a project."""

    __tablename__ = "credential"
    audited = Audited("api_key", name="name", ignored={"last_used_at"})
    __table_args__ = (CheckConstraint("credential_type in ('client_app', 'admin_app')", name="credential_type"),)

    name: Mapped[str]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    credential_type: Mapped[str]
    hashed_key: Mapped[str] = mapped_column(unique=True)
    encrypted_key: Mapped[str] = sealed("credential:{id}")
    expiry: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    max_budget: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    model_budgets: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    ip_whitelist: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))


Index("uq_credential_project_id_name", Credential.project_id, func.lower(Credential.name), unique=True)
Index("ix_credential_user_id", Credential.user_id)
