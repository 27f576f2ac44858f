from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.encrypted_columns import sealed
from budapp.commons.leases import LeasedRow


class RetriedRow(LeasedRow):
    """A message that is tried again until it works, and set aside with `dead_at` once it has failed too often."""

    __abstract__ = True

    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    dead_at: Mapped[datetime | None]


class OutboxMessage(RetriedRow):
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
    next_attempt_at: Mapped[datetime] = mapped_column(default=func.now())


class InboxMessage(RetriedRow):
    """An event that came in; `created_at` is when.

    One that could not be handled bears its `payload` and `next_attempt_at`, until it could be or is set aside.
    """

    __tablename__ = "inbox_message"
    audited = NotAudited("what an event changes leaves entries of its own")
    __table_args__ = (UniqueConstraint("source", "message_id"),)

    source: Mapped[str]
    message_id: Mapped[str]
    type: Mapped[str]
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    next_attempt_at: Mapped[datetime | None]


_waiting = OutboxMessage.dead_at.is_(None)

Index("ix_outbox_message_position_waiting", OutboxMessage.position, postgresql_where=_waiting)
Index(
    "ix_outbox_message_aggregate_position_waiting",
    OutboxMessage.aggregate,
    OutboxMessage.position,
    postgresql_where=_waiting,
)
Index("ix_inbox_message_created_at", InboxMessage.created_at)
Index(
    "ix_inbox_message_next_attempt_at",
    InboxMessage.next_attempt_at,
    postgresql_where=InboxMessage.next_attempt_at.is_not(None),
)
Index("ix_inbox_message_dead_at", InboxMessage.dead_at, postgresql_where=InboxMessage.dead_at.is_not(None))
