from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.feeding import FeedsGateway

_TOLD = ("last_triggered_at", "last_triggered_value", "last_notification_sent_at")
FREE_PLAN_ID = UUID("00000000-0000-0000-0000-000000000001")
"""The plan of whoever registers; the migration brings it, with three others."""


class BillingPlan(Base):
    """What somebody may use in a cycle, and its price; the same for all tenants. A quota of null has no limit."""

    __tablename__ = "billing_plan"
    audited = Audited("config", name="name")

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    monthly_token_quota: Mapped[int | None] = mapped_column(BigInteger)
    monthly_cost_quota: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    max_projects: Mapped[int | None]
    max_endpoints_per_project: Mapped[int | None]
    base_monthly_price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=0)
    overage_token_price: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    billing_cycle_months: Mapped[int] = mapped_column(default=1)
    features: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    is_active: Mapped[bool] = mapped_column(default=True)


class UserBilling(TenantOwned, Base):
    """A user's plan for one cycle; when it ends, the next one supersedes it.

    All cycles of a chain begin on the day of `billing_anchor` (where there is none, of their first period), or on the
    last of a month that has no such day.
    """

    __tablename__ = "user_billing"
    audited = Audited("setting")
    feeds_gateway = FeedsGateway({"limit": ("user_id",)})
    __table_args__ = (CheckConstraint("billing_period_start < billing_period_end", name="period"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    billing_plan_id: Mapped[UUID] = mapped_column(ForeignKey("billing_plan.id"))
    billing_anchor: Mapped[datetime | None]
    billing_period_start: Mapped[datetime]
    billing_period_end: Mapped[datetime]
    custom_token_quota: Mapped[int | None] = mapped_column(BigInteger)
    custom_cost_quota: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    enable_email_notifications: Mapped[bool] = mapped_column(default=True)
    enable_in_app_notifications: Mapped[bool] = mapped_column(default=True)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_suspended: Mapped[bool] = mapped_column(default=False)
    suspension_reason: Mapped[str | None]
    is_current: Mapped[bool] = mapped_column(default=True)
    cycle_number: Mapped[int] = mapped_column(default=1)
    superseded_at: Mapped[datetime | None]
    superseded_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_billing.id", ondelete="SET NULL"))


class UserUsage(TenantOwned, Base):
    """What budmetrics last said that a user has used in a cycle; within it, it only grows.

    It counts where budmetrics does not answer. `prev_*` is what was used in the cycle before.
    """

    __tablename__ = "user_usage"
    audited = NotAudited("figures that another service counts")

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), unique=True)
    period_start: Mapped[datetime]
    tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_used: Mapped[Decimal] = mapped_column(Numeric(18, 6), default=0)
    prev_tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)
    prev_cost_used: Mapped[Decimal] = mapped_column(Numeric(18, 6), default=0)


class AlertType(StrEnum):
    TOKEN_USAGE = "token_usage"  # noqa: S105
    COST_USAGE = "cost_usage"


class BillingAlert(TenantOwned, Base):
    """Tells a user, once in each cycle, that they have used so much of a quota."""

    __tablename__ = "billing_alert"
    audited = Audited("alert", name="name", ignored=_TOLD)
    __table_args__ = (
        CheckConstraint("alert_type in ('token_usage', 'cost_usage')", name="alert_type"),
        CheckConstraint("threshold_percent between 1 and 100", name="threshold_percent"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str]
    alert_type: Mapped[str]
    threshold_percent: Mapped[int]
    last_triggered_at: Mapped[datetime | None]
    last_triggered_value: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    last_notification_sent_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(default=True)


Index("uq_billing_alert_user_id_name", BillingAlert.user_id, func.lower(BillingAlert.name), unique=True)

_current = text("is_current")

Index("uq_user_billing_user_id_current", UserBilling.user_id, unique=True, postgresql_where=_current)
Index(
    "ix_user_billing_billing_period_end_current",
    UserBilling.billing_period_end,
    postgresql_where=_current,
)
Index("ix_user_billing_tenant_id_user_id", UserBilling.tenant_id, UserBilling.user_id, UserBilling.cycle_number)
