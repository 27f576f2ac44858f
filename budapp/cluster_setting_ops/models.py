from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned


class AccessMode(StrEnum):
    """By how many a volume can be used at once, as Kubernetes says it."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"
    READ_ONLY_MANY = "ReadOnlyMany"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"


_MODES = ", ".join(f"'{mode}'" for mode in AccessMode)


class ClusterSettings(TenantOwned, Base):
    """How deployments on a cluster store their data, unless they say so themselves."""

    __tablename__ = "cluster_settings"
    audited = Audited("setting")
    __table_args__ = (CheckConstraint(f"default_access_mode in ({_MODES})", name="default_access_mode"),)

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id", ondelete="CASCADE"), unique=True)
    default_storage_class: Mapped[str | None]
    default_access_mode: Mapped[str | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
