from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned, now
from budapp.commons.encrypted_columns import sealed


class AuditRetention(TenantOwned, Base):
    """How long a tenant keeps its trail; for ever where there is no row."""

    __tablename__ = "audit_retention"
    __table_args__ = (UniqueConstraint("tenant_id"), CheckConstraint("days >= 1", name="days"))
    audited = Audited("setting", action="config_changed")

    days: Mapped[int]


class DeliveryKind(StrEnum):
    WEBHOOK = "webhook"
    BUCKET = "bucket"


class AuditDelivery(TenantOwned, Base):
    """Where a tenant's entries are sent, and how far that has come: `position` is the last one that arrived."""

    __tablename__ = "audit_delivery"
    __table_args__ = (UniqueConstraint("tenant_id"), CheckConstraint("kind in ('webhook', 'bucket')", name="kind"))
    audited = Audited(
        "setting",
        action="config_changed",
        ignored={"position", "attempts", "next_attempt_at", "last_error", "delivered_at"},
    )

    kind: Mapped[str]
    url: Mapped[str | None]
    secret_encrypted: Mapped[str | None] = sealed("audit_delivery:{tenant_id}")
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
