from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from budapp.billing_ops.models import AlertType
from budapp.commons.schemas import Answer, Name, Schema
from budapp.commons.scopes import UserType

TokenQuota = Annotated[int, Field(ge=0, le=10**15)]
CostQuota = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class BillingPlanView(Schema):
    """A plan; a quota of null has no limit."""

    id: UUID
    name: str
    description: str | None
    monthly_token_quota: int | None
    monthly_cost_quota: Decimal | None
    max_projects: int | None
    max_endpoints_per_project: int | None
    base_monthly_price: Decimal
    overage_token_price: Decimal | None
    features: dict[str, Any]
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
    is_current: bool
    cycle_number: int
    superseded_at: datetime | None
    superseded_by_id: UUID | None
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
    usage: UsageView | None = None
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
    allowed: bool
    status: LimitStatus
    tokens_quota: int | None
    tokens_used: int
    cost_quota: float | None
    cost_used: float
    prev_tokens_used: int
    prev_cost_used: float
    reason: str | None
    reset_at: datetime | None
    last_updated: datetime
    billing_cycle_start: datetime | None
    billing_cycle_end: datetime | None
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
    last_triggered_value: Decimal | None
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

    start_date: AwareDatetime
    end_date: AwareDatetime
    granularity: Literal["hourly", "daily", "weekly", "monthly"] = "daily"
    project_id: UUID | None = None

    @model_validator(mode="after")
    def _is_a_period(self) -> Self:
        if not timedelta() < self.end_date - self.start_date <= timedelta(days=366):
            raise ValueError("end_date must be after start_date, by a year at most")
        return self


class UsagePoint(Schema):
    date: str
    tokens: int
    input_tokens: int
    output_tokens: int
    requests: int
    cost: float


class UsageHistory(Schema):
    data: list[UsagePoint]
    granularity: str


class CyclesReset(Schema):
    """How many users have begun a new cycle."""

    reset: int


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
    result: list[UUID]
