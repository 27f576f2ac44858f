from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from budapp.commons.schemas import Answer, Schema

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


class BilledUsers(Answer):
    """The ids of the tenant's users who have billing."""

    object: Literal["billing.users"] = "billing.users"
    message: str = "Users found"
    result: list[UUID]
