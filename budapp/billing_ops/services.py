from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from budapp.billing_ops import crud, cycles
from budapp.billing_ops.alerts import rearm
from budapp.billing_ops.crud import BillingCrud
from budapp.billing_ops.cycles import months_after, start_of_month
from budapp.billing_ops.models import FREE_PLAN_ID, BillingPlan, UserBilling
from budapp.billing_ops.schemas import BillingSetup, CurrentUsage, NotificationPreferences, UsageView
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession, now, release
from budapp.commons.errors import BadRequest, Conflict, Forbidden, NotFound
from budapp.commons.integrity import conflict_on
from budapp.commons.logging import get_logger
from budapp.commons.scopes import Scope, UserType
from budapp.integrations.budmetrics import UsageSummary, usage_summary
from budapp.integrations.dapr import DaprClient
from budapp.user_ops import services as users
from budapp.user_ops.models import User, UserStatus
from budapp.user_ops.rights import manageable

logger = get_logger(__name__)


async def list_plans(session: ReadSession) -> Sequence[BillingPlan]:
    """Return the plans that can be had, the cheapest first."""
    return await crud.active_plans(session)


async def current_usage(session: ReadSession, dapr: DaprClient, caller: Caller, user_id: UUID) -> CurrentUsage:
    """Return the plan of the caller, or of another user, and what budmetrics says they used in this cycle.

    Raises:
        NotFound: the tenant has no such user.
        PeerFailed: budmetrics gives no answer that makes sense.
        Unavailable: budmetrics gives no answer within 5 seconds.
    """
    if user_id != caller.user_id:
        await users.get_user(session, caller, user_id)
    found = await BillingCrud(session, caller).find_with_plan(user_id)
    if found is None:
        return CurrentUsage(has_billing=False)
    billing, plan = found
    await release(session)
    start, end = billing.billing_period_start, billing.billing_period_end
    return _usage(billing, plan, await usage_summary(dapr, user_id=user_id, start=start, end=end))


async def billing_of_user(session: ReadSession, caller: Caller, user_id: UUID) -> UserBilling:
    """Return a user's current cycle.

    Raises:
        NotFound: the tenant has no such user, or they have no billing.
    """
    await users.get_user(session, caller, user_id)
    return _existing(await BillingCrud(session, caller).find_current(user_id))


async def history(session: ReadSession, caller: Caller, user_id: UUID) -> Sequence[UserBilling]:
    """Return the cycles of the caller, or of another user, the newest first.

    Raises:
        NotFound: the tenant has no such user.
        Forbidden: it is somebody else, and the caller may not manage users.
    """
    if user_id != caller.user_id:
        require_managing(caller)
        await users.get_user(session, caller, user_id)
    return await BillingCrud(session, caller).cycles_of(user_id)


async def readable_history(session: ReadSession, caller: Caller, user_id: UUID) -> None:
    """Raise what `history` would."""
    await history(session, caller, user_id)


def require_managing(caller: Caller) -> None:
    """Raise `Forbidden` where the caller may not manage users."""
    if not caller.may(Scope.USER_MANAGE):
        raise Forbidden(f"Permission required: {Scope.USER_MANAGE}")


async def cycle_at(session: ReadSession, caller: Caller, at: datetime) -> UserBilling:
    """Return the caller's cycle of that moment, or raise `NotFound`."""
    found = await BillingCrud(session, caller).cycles_of(caller.user_id, at)
    if not found:
        raise NotFound("There was no billing at that moment", param="date")
    return found[0]


async def set_preferences(session: WriteSession, caller: Caller, data: NotificationPreferences) -> UserBilling:
    """Set how the caller is told of alerts, or raise `NotFound` where they have no plan."""
    billing = _existing(await BillingCrud(session, caller).find_current(caller.user_id, for_update=True))
    for name, value in data.model_dump(exclude_none=True).items():
        setattr(billing, name, value)
    await session.flush()
    return billing


async def reset_user(session: WriteSession, caller: Caller, user_id: UUID) -> int:
    """Begin a new cycle for the user, and return 1.

    Raises:
        NotFound: the tenant has no such user, or they have no plan.
        Forbidden: the user may do more than the caller.
    """
    billing = await managed_billing(session, caller, user_id)
    return int(await cycles.begin_anew(session, billing.id))


async def managed_billing(session: ReadSession, caller: Caller, user_id: UUID) -> UserBilling:
    """Return the current billing of a user whom the caller may manage.

    Raises:
        NotFound: the tenant has no such user, or they have no plan.
        Forbidden: the user may do more than the caller.
    """
    await manageable(session, caller, user_id)
    return _existing(await BillingCrud(session, caller).find_current(user_id))


async def reset_all(session: WriteSession, caller: Caller, *, only_expired: bool) -> int:
    """Begin new cycles for everyone of the tenant, or whose cycle is over, and return how many; none for suspended."""
    moment = now() if only_expired else None
    ids = await BillingCrud(session, caller).current_ids(moment)
    return sum([await cycles.begin_anew(session, billing_id) for billing_id in ids])


async def users_with_billing(session: ReadSession, caller: Caller) -> Sequence[UUID]:
    """Return the ids of the tenant's users who have billing and are not deleted."""
    return await BillingCrud(session, caller).user_ids()


async def set_up(session: WriteSession, caller: Caller, data: BillingSetup) -> UserBilling:
    """Give a user a plan, from now on.

    Raises:
        NotFound: the tenant has no such user, or there is no such plan.
        Forbidden: the user may do more than the caller.
        BadRequest: the user is deleted, or the plan can't be had any more.
        Conflict: the user has a plan.
    """
    await _billable(session, caller, data.user_id)
    plan = await _plan_to_have(session, data.billing_plan_id)
    start = now()
    billing = UserBilling(
        tenant_id=caller.tenant_id,
        billing_anchor=start,
        billing_period_start=start,
        billing_period_end=months_after(start, plan.billing_cycle_months),
        **data.model_dump(),
    )
    session.add(billing)
    taken = Conflict("This user has billing already; change the plan instead", param="user_id")
    with conflict_on("uq_user_billing_user_id_current", taken):
        await session.flush()
    return billing


async def change_plan(session: WriteSession, caller: Caller, data: BillingSetup) -> UserBilling:
    """Change a user's plan and quotas in the current cycle.

    Raises:
        NotFound: the tenant has no such user, they have no billing, or there is no such plan.
        Forbidden: the user may do more than the caller.
        BadRequest: the user is deleted, or the plan can't be had any more.
    """
    await _billable(session, caller, data.user_id)
    billing = _existing(await BillingCrud(session, caller).find_current(data.user_id, for_update=True))
    await rearm(session, data.user_id)
    if data.billing_plan_id != billing.billing_plan_id:
        await _plan_to_have(session, data.billing_plan_id)
    for name, value in data.model_dump(exclude={"user_id"}, exclude_none=True).items():
        setattr(billing, name, value)
    return billing


async def give_free_plan(session: WriteSession, user: User) -> None:
    """Give a customer's new user the free plan, for the running calendar month; nobody is turned away without one."""
    if user.user_type != UserType.CLIENT:
        return
    plan = await crud.find_plan(session, FREE_PLAN_ID)
    if plan is None or not plan.is_active:
        logger.warning("free_plan_missing", user=str(user.id))
        return
    start = start_of_month(now())
    billing = UserBilling(tenant_id=user.tenant_id, user_id=user.id, billing_plan_id=plan.id)
    billing.billing_anchor = billing.billing_period_start = start
    billing.billing_period_end = months_after(start, plan.billing_cycle_months)
    session.add(billing)


async def _billable(session: WriteSession, caller: Caller, user_id: UUID) -> None:
    user = await manageable(session, caller, user_id)
    if user.status == UserStatus.DELETED:
        raise BadRequest("The user is deleted; reactivate the user first", param="user_id")


async def _plan_to_have(session: ReadSession, plan_id: UUID) -> BillingPlan:
    plan = await crud.find_plan(session, plan_id)
    if plan is None:
        raise NotFound("Plan not found", param="billing_plan_id")
    if not plan.is_active:
        raise BadRequest("The plan is no longer available", param="billing_plan_id")
    return plan


def _existing(billing: UserBilling | None) -> UserBilling:
    if billing is None:
        raise NotFound("The user has no billing plan")
    return billing


def _usage(billing: UserBilling, plan: BillingPlan, used: UsageSummary) -> CurrentUsage:
    token_quota = billing.custom_token_quota or plan.monthly_token_quota
    cost_quota = billing.custom_cost_quota or plan.monthly_cost_quota
    return CurrentUsage(
        has_billing=True,
        billing_period_start=billing.billing_period_start,
        billing_period_end=billing.billing_period_end,
        plan_name=plan.name,
        billing_plan_id=plan.id,
        base_monthly_price=float(plan.base_monthly_price),
        usage=UsageView(
            tokens_used=used.total_tokens,
            tokens_quota=token_quota,
            tokens_usage_percent=_percent(used.total_tokens, token_quota),
            cost_used=used.total_cost,
            cost_quota=None if cost_quota is None else float(cost_quota),
            cost_usage_percent=_percent(used.total_cost, cost_quota),
            request_count=used.request_count,
            success_rate=used.success_rate,
        ),
        is_suspended=billing.is_suspended,
        suspension_reason=billing.suspension_reason,
    )


def _percent(used: float, quota: int | Decimal | None) -> float:
    """Return the share, which may be more than 100; a quota of 0 is used up from the start."""
    if quota is None:
        return 0
    return round(100 * used / float(quota), 2) if quota else 100
