from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base


class LegacyRow(Base):
    """A row of the former service's database that has come over, and which row it is here.

    A row comes over once: what is changed or deleted here afterwards stays so when the upgrade is run again.
    """

    __tablename__ = "legacy_row"
    __table_args__ = (UniqueConstraint("source", "source_id"),)
    audited = NotAudited("notes of an upgrade, which leaves entries of its own")

    source: Mapped[str]
    source_id: Mapped[UUID]
    target_id: Mapped[UUID]


Index("ix_legacy_row_source_target_id", LegacyRow.source, LegacyRow.target_id)
