from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from budapp.billing_ops.models import AlertType
from budapp.commons.schemas import Answer, Name, Schema
from budapp.commons.scopes import UserType
from budapp.commons.timestamps import AwareTimestamp

TokenQuota = Annotated[int, Field(ge=0, le=10**15)]
CostQuota = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class BillingPlanView(Schema):
    """A plan; a quota of null has no limit."""

    id: UUID
    name: str
    description: str | None
    monthly_token_quota: int | None = Field(description="How many tokens may be used in a cycle; null for no limit")
    monthly_cost_quota: Decimal | None = Field(
        description="How much may be spent in a cycle, in the platform's currency; null for no limit"
    )
    max_projects: int | None = Field(description="How many projects a user may have; null for no limit")
    max_endpoints_per_project: int | None = Field(
        description="How many deployments a project may have; null for no limit"
    )
    base_monthly_price: Decimal
    overage_token_price: Decimal | None = Field(
        description="For the page: what goes beyond the quota is not charged; null for none"
    )
    features: dict[str, Any] = Field(description="For the page: what the plan offers, by name")
    is_active: bool
    created_at: datetime
    modified_at: datetime


class UserBillingView(Schema):
    """A user's plan in the current cycle, with quotas of their own, where null or 0 means the plan's."""

    id: UUID
    user_id: UUID
    billing_plan_id: UUID
    billing_period_start: datetime
    billing_period_end: datetime
    custom_token_quota: int | None
    custom_cost_quota: Decimal | None
    enable_email_notifications: bool
    enable_in_app_notifications: bool
    is_active: bool
    is_suspended: bool
    suspension_reason: str | None
    is_current: bool = Field(description="Whether this is the current cycle; earlier ones are kept")
    cycle_number: int = Field(description="The number of the cycle, from 1")
    superseded_at: datetime | None = Field(description="When the next cycle took its place; null for the current one")
    superseded_by_id: UUID | None = Field(description="The cycle that took its place; null for the current one")
    created_at: datetime
    modified_at: datetime


class UsageView(Schema):
    """What was used in the cycle, against what may be; a quota of null has no limit, and 0 percent are used of it."""

    tokens_used: int
    tokens_quota: int | None
    tokens_usage_percent: float
    cost_used: float
    cost_quota: float | None
    cost_usage_percent: float
    request_count: int
    success_rate: float


class CurrentUsage(Schema):
    """A user's plan and usage in the current cycle; all is null for one without billing, whom nothing limits."""

    has_billing: bool
    billing_period_start: datetime | None = None
    billing_period_end: datetime | None = None
    plan_name: str | None = None
    billing_plan_id: UUID | None = None
    base_monthly_price: float | None = None
    usage: UsageView | None = Field(default=None, description="What was used in the cycle; null without billing")
    is_suspended: bool | None = None
    suspension_reason: str | None = None


class BillingSetup(Schema):
    """Which plan a user is to have.

    A custom quota takes the place of the plan's. Absent or null leaves it as it is, 0 gives the plan's again.
    """

    user_id: UUID
    billing_plan_id: UUID
    custom_token_quota: TokenQuota | None = None
    custom_cost_quota: CostQuota | None = None


LimitStatus = Literal[
    "allowed", "admin_unlimited", "no_billing_plan", "suspended", "token_limit_exceeded", "cost_limit_exceeded"
]


class UsageLimit(Schema):
    """Whether somebody may go on, in the words of the gateway; a quota of null has no limit."""

    user_id: UUID
    user_type: UserType
    allowed: bool = Field(description="Whether the user may go on")
    status: LimitStatus = Field(description="Why the user may, or may not")
    tokens_quota: int | None = Field(
        description="How many tokens may be used in the cycle; null for no limit, and not enforced without a plan"
    )
    tokens_used: int
    cost_quota: float | None
    cost_used: float
    prev_tokens_used: int = Field(description="How many tokens were used in the cycle before")
    prev_cost_used: float = Field(description="How much was spent in the cycle before, in the platform's currency")
    reason: str | None
    reset_at: datetime | None = Field(description="When the next cycle begins; null without billing")
    last_updated: datetime
    billing_cycle_start: datetime | None = Field(description="When the cycle began; null without billing")
    billing_cycle_end: datetime | None = Field(description="When the cycle ends; null without billing")
    plan_name: str | None


class AlertCreate(Schema):
    name: Name
    alert_type: AlertType
    threshold_percent: Annotated[int, Field(ge=1, le=100)]


class AlertUpdate(Schema):
    is_active: bool


class AlertView(Schema):
    """An alert; what went out by mail or into the application is tried until it arrives, so no failures are counted."""

    id: UUID
    user_id: UUID
    name: str
    alert_type: AlertType
    threshold_percent: int
    last_triggered_at: datetime | None
    last_triggered_value: Decimal | None = Field(
        description="What was used when it went off last: tokens, or costs in the platform's currency"
    )
    last_notification_sent_at: datetime | None
    is_active: bool
    created_at: datetime
    modified_at: datetime


class NotificationPreferences(Schema):
    """What is left out stays."""

    enable_email_notifications: bool | None = None
    enable_in_app_notifications: bool | None = None


class UsageHistoryRequest(Schema):
    """The period may be a year at most."""

    start_date: AwareTimestamp = Field(description="From when on, with the offset from UTC")
    end_date: AwareTimestamp = Field(description="Until when, with the offset from UTC")
    granularity: Literal["hourly", "daily", "weekly", "monthly"] = Field(
        default="daily", description="How long a step is"
    )
    project_id: UUID | None = None

    @model_validator(mode="after")
    def _is_a_period(self) -> Self:
        if not timedelta() < self.end_date - self.start_date <= timedelta(days=366):
            raise ValueError("end_date must be after start_date, by a year at most")
        return self


class UsagePoint(Schema):
    date: str = Field(description="When the step begins, as budmetrics writes it")
    tokens: int
    input_tokens: int
    output_tokens: int
    requests: int
    cost: float


class UsageHistory(Schema):
    data: list[UsagePoint]
    granularity: str = Field(description="How long a step is")


class CyclesReset(Schema):
    """How many users have begun a new cycle."""

    reset: int = Field(description="How many users have begun a new cycle")


class PlanList(Answer):
    object: Literal["billing.plans"] = "billing.plans"
    message: str = "Plans found"
    result: list[BillingPlanView]


class UserBillingAnswer(Answer):
    object: Literal["billing.user"] = "billing.user"
    result: UserBillingView


class UsageAnswer(Answer):
    object: Literal["billing.usage"] = "billing.usage"
    message: str = "Usage found"
    result: CurrentUsage


class BillingHistory(Answer):
    object: Literal["billing.history"] = "billing.history"
    message: str = "Cycles found"
    result: list[UserBillingView]


class UsageHistoryAnswer(Answer):
    object: Literal["billing.usage_history"] = "billing.usage_history"
    message: str = "Usage found"
    result: UsageHistory


class LimitAnswer(Answer):
    object: Literal["billing.limit"] = "billing.limit"
    message: str = "Limit found"
    result: UsageLimit


class AlertAnswer(Answer):
    object: Literal["billing.alert"] = "billing.alert"
    message: str = "Alert saved"
    result: AlertView


class AlertDeleted(Answer):
    object: Literal["billing.alert"] = "billing.alert"
    message: str = "Alert deleted"


class AlertList(Answer):
    object: Literal["billing.alerts"] = "billing.alerts"
    message: str = "Alerts found"
    result: list[AlertView]


class CyclesResetAnswer(Answer):
    object: Literal["billing.reset"] = "billing.reset"
    message: str = "New cycles begun"
    result: CyclesReset


class BilledUsers(Answer):
    """The ids of the tenant's users who have billing."""

    object: Literal["billing.users"] = "billing.users"
    message: str = "Users found"
    result: list[UUID] = Field(description="Users, by id")
