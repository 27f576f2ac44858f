from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base
from budapp.commons.encrypted_columns import sealed
from budapp.commons.leases import LeasedRow


class OutboxMessage(LeasedRow):
    """Something to tell another service: deleted once delivered, kept with `dead_at` once given up.

    Messages of one aggregate leave one by one, in the order of `position`. The relay that delivers one has its lease.
    """

    __tablename__ = "outbox_message"
    audited = NotAudited("tells other services of changes that leave entries of their own")
    __table_args__ = (CheckConstraint("kind in ('publish', 'invoke')", name="kind"),)

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    aggregate: Mapped[str]
    kind: Mapped[str]
    target: Mapped[str]
    method: Mapped[str | None]
    path: Mapped[str | None]
    payload: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    payload_encrypted: Mapped[str | None] = sealed("outbox_message:{id}")
    request_id: Mapped[str | None]
    traceparent: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=func.now())
    last_error: Mapped[str | None]
    dead_at: Mapped[datetime | None]


class InboxMessage(Base):
    """An event that has been handled; `created_at` is when."""

    __tablename__ = "inbox_message"
    audited = NotAudited("what an event changes leaves entries of its own")
    __table_args__ = (UniqueConstraint("source", "message_id"),)

    source: Mapped[str]
    message_id: Mapped[str]
    type: Mapped[str]


_waiting = OutboxMessage.dead_at.is_(None)

Index("ix_outbox_message_position_waiting", OutboxMessage.position, postgresql_where=_waiting)
Index(
    "ix_outbox_message_aggregate_position_waiting",
    OutboxMessage.aggregate,
    OutboxMessage.position,
    postgresql_where=_waiting,
)
Index("ix_inbox_message_created_at", InboxMessage.created_at)
