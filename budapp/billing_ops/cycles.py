"""When cycles begin and end."""

import calendar
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.billing_ops import crud
from budapp.billing_ops.models import BillingPlan, UserBilling
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.isolation import each_isolated

_AT_ONCE = 4
_INHERITED = (
    "tenant_id",
    "user_id",
    "billing_plan_id",
    "billing_anchor",
    "custom_token_quota",
    "custom_cost_quota",
    "enable_email_notifications",
    "enable_in_app_notifications",
    "is_active",
    "is_suspended",
    "suspension_reason",
)


def months_after(moment: datetime, months: int) -> datetime:
    """Return the same day and time so many months later, or the month's last day where it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def months_between(earlier: datetime, later: datetime) -> int:
    """Return how many times the month changes from one to the other."""
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def start_of_month(moment: datetime) -> datetime:
    """Return midnight of the month's first day."""
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def roll_cycles(database: Database) -> None:
    """Begin the next cycle for everyone whose cycle is over, but for the suspended."""
    async with database.read() as session:
        ended = await crud.expired(session, now())
    await each_isolated(database, "roll_billing_cycles", ended, partial(_roll, database), at_once=_AT_ONCE)


async def _roll(database: Database, billing_id: UUID) -> None:
    async with database.write() as session:
        found = await crud.lock_expired(session, billing_id, now())
        if found is None:
            return
        billing, plan = found
        await supersede(session, billing, _following(billing, plan))


async def begin_anew(session: WriteSession, billing_id: UUID) -> bool:
    """Begin the user's next cycle: where the current one was not over yet, now, and from now on on this day.

    Returns whether there was a current one.
    """
    found = await crud.lock_current(session, billing_id)
    if found is None:
        return False
    billing, plan = found
    successor = _following(billing, plan)
    if billing.billing_period_end > now():
        start = now()
        successor.billing_anchor = successor.billing_period_start = start
        successor.billing_period_end = months_after(start, plan.billing_cycle_months)
    await supersede(session, billing, successor)
    return True


async def supersede(session: WriteSession, billing: UserBilling, successor: UserBilling) -> None:
    """Have the successor take the place of the locked current cycle."""
    billing.is_current, billing.superseded_at = False, now()
    await session.flush()
    session.add(successor)
    await session.flush()
    billing.superseded_by_id = successor.id


def _following(billing: UserBilling, plan: BillingPlan) -> UserBilling:
    """Return the cycle of the present day; where several were missed, they are passed over."""
    anchor = billing.billing_anchor or billing.billing_period_start
    start = billing.billing_period_end
    months = months_between(anchor, start) + plan.billing_cycle_months
    while (end := months_after(anchor, months)) <= now():
        start, months = end, months + plan.billing_cycle_months
    inherited: dict[str, Any] = {name: getattr(billing, name) for name in _INHERITED}
    return UserBilling(
        id=uuid7(),
        billing_period_start=start,
        billing_period_end=end,
        cycle_number=billing.cycle_number + 1,
        **inherited,
    )
