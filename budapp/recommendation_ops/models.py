from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned


class RecommendedCluster(TenantOwned, Base):
    """The cluster that suits a model best, on which hardware, and what a million tokens cost there."""

    __tablename__ = "model_cluster_recommended"
    audited = NotAudited("worked out anew every day")

    model_id: Mapped[UUID] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), unique=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id", ondelete="CASCADE"), index=True)
    hardware_type: Mapped[list[str]] = mapped_column(ARRAY(String))
    cost_per_million_tokens: Mapped[Decimal] = mapped_column(Numeric(18, 6))
