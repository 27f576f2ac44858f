from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base


class LiveEvent(Base):
    """Something that happened and that is still to be told; deleted once it is in the stream of its tenant.

    Attributes:
        stream: the tenant.
        type: such as `endpoint.status`; `reach` where what somebody may read has changed.
        audience: who may read it, see `Audience`.
        data: what they read.
    """

    __tablename__ = "live_event"
    audited = NotAudited("tells of changes that leave entries of their own")

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    stream: Mapped[UUID]
    type: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[UUID]
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


Index("ix_live_event_position", LiveEvent.position)
