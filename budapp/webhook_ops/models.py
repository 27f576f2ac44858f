from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned, now
from budapp.commons.encrypted_columns import sealed
from budapp.commons.leases import LeasedRow


class Webhook(TenantOwned, Base):
    """An address that is told what happens in the tenant, or in one project.

    Attributes:
        event_types: events, or families of them; all where there are none.
        old_secret_encrypted: signs beside the present one until `old_secret_until`.
        failing_since: when the first of the attempts was made that have all failed since.
    """

    __tablename__ = "webhook"
    audited = Audited("setting", name="name", action="config_changed", ignored={"failing_since"})

    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str]
    url: Mapped[str]
    event_types: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    secret_encrypted: Mapped[str] = sealed("webhook:{id}")
    old_secret_encrypted: Mapped[str | None] = sealed("webhook_old:{id}")
    old_secret_until: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    disabled_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(TenantOwned, LeasedRow):
    """An event on its way to a webhook, and how that went; whoever delivers it has the lease.

    Attributes:
        event_id: the same however often it is sent, so that the receiver can tell.
        body: what is signed and sent, as it is.
        answered: the status of the last answer.
    """

    __tablename__ = "webhook_delivery"
    audited = NotAudited("tells of changes that leave entries of their own")
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        CheckConstraint("state in ('pending', 'delivered', 'failed')", name="state"),
    )

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    answered: Mapped[int | None]
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]


_pending = WebhookDelivery.state == literal_column("'pending'")

Index("ix_webhook_tenant_id", Webhook.tenant_id, Webhook.created_at.desc(), Webhook.id.desc())
Index(
    "ix_webhook_delivery_webhook_id",
    WebhookDelivery.webhook_id,
    WebhookDelivery.created_at.desc(),
    WebhookDelivery.id.desc(),
)
Index("ix_webhook_delivery_due", WebhookDelivery.next_attempt_at, postgresql_where=_pending)
Index("ix_webhook_delivery_created_at", WebhookDelivery.created_at)
