from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Numeric, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.encrypted_columns import sealed
from budapp.commons.feeding import FeedsGateway

_SECRETS = {"key_hmac", "previous_hashed_key", "previous_key_hmac", "masked_key"}
NOT_FOR_GATEWAY = {"last_used_at", "expiry_notified_at", "spent", "counted_tokens"}
"""What changes without changing what a key opens."""
_OPENS = (
    *("project_id", "user_id", "hashed_key", "previous_hashed_key", "previous_expires_at", "expiry"),
    *("endpoint_ids", "model_ids", "max_budget", "model_budgets"),
)


class CredentialType(StrEnum):
    CLIENT_APP = "client_app"
    ADMIN_APP = "admin_app"


class Credential(TenantOwned, Base):
    """An API key for the gateway, which a user made in a project; or a service account's, which also opens budapp.

    A key of a service account may be in no project: then it opens budapp alone. `issued_by` is who made it for the
    account.

    `hashed_key` is what the gateway looks it up by, `key_hmac` what budapp knows it by; after a rotation the secret
    before counts until `previous_expires_at`. `encrypted_key` is the secret as only the owner's browser can read it.
    Without `endpoint_ids` and `model_ids` it opens all that the owner may call in the project.

    Of a key with budgets, `spent` is what its requests have cost, by model, and `counted_tokens` the input and output
    tokens of each deployment that are in it.
    """

    __tablename__ = "credential"
    audited = Audited("api_key", name="name", secrets=_SECRETS, ignored=NOT_FOR_GATEWAY)
    feeds_gateway = FeedsGateway({"key": ("hashed_key", "previous_hashed_key")}, when=_OPENS)
    __table_args__ = (CheckConstraint("credential_type in ('client_app', 'admin_app')", name="credential_type"),)

    name: Mapped[str]
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    issued_by: Mapped[UUID | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    credential_type: Mapped[str]
    hashed_key: Mapped[str] = mapped_column(unique=True)
    key_hmac: Mapped[str | None]
    masked_key: Mapped[str] = mapped_column(default="", server_default="")
    encrypted_key: Mapped[str | None] = sealed("credential:{id}")
    previous_hashed_key: Mapped[str | None] = mapped_column(unique=True)
    previous_key_hmac: Mapped[str | None]
    previous_expires_at: Mapped[datetime | None]
    expiry: Mapped[datetime | None]
    expiry_notified_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    max_budget: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    model_budgets: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    spent: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    counted_tokens: Mapped[dict[str, list[int]] | None] = mapped_column(JSONB(none_as_null=True))
    ip_whitelist: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    endpoint_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    model_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))


class ApiKeyPolicy(TenantOwned, Base):
    """What a tenant's administrators have set for its API keys."""

    __tablename__ = "api_key_policy"
    audited = Audited("setting")

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), unique=True)
    default_expiry_days: Mapped[int | None]
    notify_days: Mapped[int] = mapped_column(default=7)


Index("uq_credential_project_id_name", Credential.project_id, func.lower(Credential.name), unique=True)
Index(
    "uq_credential_user_id_name_in_no_project",
    Credential.user_id,
    func.lower(Credential.name),
    unique=True,
    postgresql_where=Credential.project_id.is_(None),
)
Index("ix_credential_user_id", Credential.user_id)
Index("ix_credential_tenant_id_created_at", Credential.tenant_id, Credential.created_at.desc(), Credential.id.desc())
Index("ix_credential_expiry", Credential.expiry, postgresql_where=Credential.expiry_notified_at.is_(None))
