"""Whether somebody may go on: one pure function, for the gateway, for the API and for alerts."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import Row

from budapp.billing_ops.models import BillingPlan, UserBilling, UserUsage
from budapp.billing_ops.schemas import LimitStatus, UsageLimit
from budapp.commons.scopes import UserType
from budapp.user_ops.models import User

_SHOWN_WITHOUT_PLAN = 100_000
"""Stands for the quota of who has no plan; nothing is refused by it."""
_REASONS: dict[LimitStatus, str] = {
    "suspended": "The billing of this user is suspended",
    "token_limit_exceeded": "The tokens of this cycle are used up",
    "cost_limit_exceeded": "The budget of this cycle is used up",
}


@dataclass(frozen=True, slots=True)
class Used:
    """What was used in the cycle that began then."""

    period_start: datetime
    tokens: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody's limit follows from: their plan for the current cycle, and what was last known to be used."""

    user: User
    billing: UserBilling | None
    plan: BillingPlan | None
    usage: UserUsage | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Return the standing in a row of `crud.standings`."""
        return cls(row.User, row.UserBilling, row.BillingPlan, row.UserUsage)

    @property
    def tokens_quota(self) -> int | None:
        """How many tokens the cycle has; null for any number."""
        if self.billing is None or self.plan is None:
            return None
        return self.billing.custom_token_quota or self.plan.monthly_token_quota

    @property
    def cost_quota(self) -> Decimal | None:
        """How much money the cycle has; null for any amount."""
        if self.billing is None or self.plan is None:
            return None
        return self.billing.custom_cost_quota or self.plan.monthly_cost_quota

    def used(self, counted: Used | None = None) -> tuple[int, Decimal]:
        """Return tokens and cost used in this cycle: the most that anybody has counted."""
        start = self.billing.billing_period_start if self.billing is not None else None
        known = [Used(self.usage.period_start, self.usage.tokens_used, self.usage.cost_used)] if self.usage else []
        here = [one for one in (*known, *([counted] if counted else [])) if one.period_start == start]
        return max((one.tokens for one in here), default=0), max((one.cost for one in here), default=Decimal(0))

    def before(self) -> tuple[int, Decimal]:
        """Return tokens and cost used in the cycle before."""
        if self.usage is None or self.billing is None:
            return 0, Decimal(0)
        if self.usage.period_start == self.billing.billing_period_start:
            return self.usage.prev_tokens_used, self.usage.prev_cost_used
        return self.usage.tokens_used, self.usage.cost_used


def limit_of(standing: Standing, at: datetime, counted: Used | None = None) -> UsageLimit:
    """Return whether the user may go on, and why not.

    Args:
        standing: what is known of them.
        at: the present moment.
        counted: what somebody else has counted in some cycle; it counts where it is this cycle and more.
    """
    status = _status(standing, counted)
    billing, limited = standing.billing, status not in {"admin_unlimited", "no_billing_plan"}
    tokens, cost = standing.used(counted)
    prev_tokens, prev_cost = standing.before()
    shown = _SHOWN_WITHOUT_PLAN if status == "no_billing_plan" else None
    cost_quota = standing.cost_quota if limited else None
    return UsageLimit(
        user_id=standing.user.id,
        user_type=UserType(standing.user.user_type),
        allowed=status not in _REASONS,
        status=status,
        tokens_quota=standing.tokens_quota if limited else shown,
        tokens_used=tokens,
        cost_quota=float(cost_quota) if cost_quota is not None else None,
        cost_used=float(cost),
        prev_tokens_used=prev_tokens,
        prev_cost_used=float(prev_cost),
        reason=_REASONS.get(status),
        reset_at=billing.billing_period_end if billing else None,
        last_updated=at,
        billing_cycle_start=billing.billing_period_start if billing else None,
        billing_cycle_end=billing.billing_period_end if billing else None,
        plan_name=standing.plan.name if standing.plan else None,
    )


def _status(standing: Standing, counted: Used | None) -> LimitStatus:
    if standing.user.user_type == UserType.ADMIN:
        return "admin_unlimited"
    if standing.billing is None:
        return "no_billing_plan"
    if standing.billing.is_suspended:
        return "suspended"
    tokens, cost = standing.used(counted)
    if standing.tokens_quota is not None and tokens >= standing.tokens_quota:
        return "token_limit_exceeded"
    if standing.cost_quota is not None and cost >= standing.cost_quota:
        return "cost_limit_exceeded"
    return "allowed"
