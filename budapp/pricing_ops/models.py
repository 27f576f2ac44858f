from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.feeding import FeedsGateway


class DeploymentPricing(TenantOwned, Base):
    """What `per_tokens` tokens of a published deployment cost; one price at a time is current."""

    __tablename__ = "deployment_pricing"
    audited = Audited("endpoint")
    feeds_gateway = FeedsGateway({"endpoint": ("endpoint_id",)})
    __table_args__ = (
        CheckConstraint("input_cost >= 0 and output_cost >= 0", name="costs"),
        CheckConstraint("per_tokens > 0", name="per_tokens"),
    )

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    input_cost: Mapped[Decimal] = mapped_column(Numeric(10, 6))
    output_cost: Mapped[Decimal] = mapped_column(Numeric(10, 6))
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    per_tokens: Mapped[int] = mapped_column(default=1000)
    is_current: Mapped[bool] = mapped_column(default=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


Index(
    "uq_deployment_pricing_current",
    DeploymentPricing.endpoint_id,
    unique=True,
    postgresql_where=literal_column("is_current"),
)
