from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from budapp.billing_ops import alerts, services, usage
from budapp.billing_ops.schemas import (
    AlertAnswer,
    AlertCreate,
    AlertDeleted,
    AlertList,
    AlertUpdate,
    BilledUsers,
    BillingHistory,
    BillingSetup,
    CyclesReset,
    CyclesResetAnswer,
    LimitAnswer,
    NotificationPreferences,
    PlanList,
    UsageAnswer,
    UsageHistoryAnswer,
    UsageHistoryRequest,
    UserBillingAnswer,
)
from budapp.commons.access import Caller, Requires, RequiresOrPeer, SignedIn, SignedInAccess, public
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.query_parameters import ignores
from budapp.commons.schemas import Answer
from budapp.commons.scopes import Scope
from budapp.commons.timestamps import AwareTimestamp
from budapp.integrations.dapr import DaprDep
from budapp.user_ops.services import get_user

router = APIRouter(prefix="/billing", tags=["billing"], route_class=IdempotentRoute)

Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
Reader = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.billing_of_user))]
ManagerOrPeer = Annotated[Caller, Depends(RequiresOrPeer(Scope.USER_MANAGE))]
HistoryReader = Annotated[Caller, Depends(SignedInAccess(row=services.readable_history))]
AlertOwner = Annotated[Caller, Depends(SignedInAccess(row=alerts.get_alert))]
ManagerOf = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.managed_billing))]
UsageReader = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=get_user))]


@router.get("/plans", dependencies=[public])
async def list_plans(session: Read) -> PlanList:
    """List the available plans, cheapest first."""
    return PlanList(result=list(await services.list_plans(session)))


@router.get("/current")
async def get_current_usage(caller: SignedIn, session: Read, dapr: DaprDep) -> UsageAnswer:
    """Return the caller's plan and usage in the current cycle."""
    return UsageAnswer(result=await services.current_usage(session, dapr, caller, caller.user_id))


@router.get("/users-with-billing")
async def list_users_with_billing(caller: ManagerOrPeer, session: Read) -> BilledUsers:
    """List the ids of the tenant's users who have a plan."""
    return BilledUsers(result=list(await services.users_with_billing(session, caller)))


@router.post("/setup")
async def set_up_billing(data: BillingSetup, caller: Manager, session: Write) -> UserBillingAnswer:
    """Assign a plan to a user, starting now; 409 if the user has one."""
    return UserBillingAnswer(message="Billing set up", result=await services.set_up(session, caller, data))


@router.put("/plan")
async def change_plan(data: BillingSetup, caller: Manager, session: Write) -> UserBillingAnswer:
    """Change a user's plan and quotas in the current cycle."""
    return UserBillingAnswer(message="Plan changed", result=await services.change_plan(session, caller, data))


@router.get("/check-limits")
async def check_limits(caller: SignedIn, session: Read, dapr: DaprDep) -> LimitAnswer:
    """Say whether the caller may go on; where budmetrics does not answer, by what it said last."""
    return LimitAnswer(result=await usage.check_limits(session, dapr, caller))


@router.get("/history")
async def get_billing_history(caller: SignedIn, session: Read) -> BillingHistory:
    """Return the caller's cycles, the newest first."""
    return BillingHistory(result=list(await services.history(session, caller, caller.user_id)))


@router.post("/history")
async def get_usage_history(data: UsageHistoryRequest, caller: SignedIn, dapr: DaprDep) -> UsageHistoryAnswer:
    """Return what the caller has used in each part of a period."""
    return UsageHistoryAnswer(result=await usage.history_of_usage(dapr, caller, data))


@router.get("/history/period")
async def get_billing_period(caller: SignedIn, session: Read, date: AwareTimestamp) -> UserBillingAnswer:
    """Return the caller's cycle of a moment."""
    return UserBillingAnswer(message="Cycle found", result=await services.cycle_at(session, caller, date))


@router.get("/history/{user_id}")
async def get_billing_history_of_user(user_id: UUID, caller: HistoryReader, session: Read) -> BillingHistory:
    """Return a user's cycles, the newest first: one's own, or with user:manage anybody's."""
    return BillingHistory(result=list(await services.history(session, caller, user_id)))


@router.put("/notification-preferences")
async def set_notification_preferences(
    data: NotificationPreferences, caller: SignedIn, session: Write
) -> UserBillingAnswer:
    """Set how the caller is told of alerts."""
    billing = await services.set_preferences(session, caller, data)
    return UserBillingAnswer(message="Preferences saved", result=billing)


@router.post("/reset/{user_id}", dependencies=[ignores("reason")])
async def reset_billing_cycle(user_id: UUID, caller: ManagerOf, session: Write) -> CyclesResetAnswer:
    """Begin a new cycle for a user, from now on."""
    return CyclesResetAnswer(result=CyclesReset(reset=await services.reset_user(session, caller, user_id)))


@router.post("/reset-all", dependencies=[ignores("reason")])
async def reset_all_billing_cycles(caller: Manager, session: Write) -> CyclesResetAnswer:
    """Begin new cycles for all users of the tenant, but for the suspended."""
    reset = await services.reset_all(session, caller, only_expired=False)
    return CyclesResetAnswer(result=CyclesReset(reset=reset))


@router.post("/reset-expired")
async def reset_expired_billing_cycles(caller: Manager, session: Write) -> CyclesResetAnswer:
    """Begin the next cycle for all users of the tenant whose cycle is over, but for the suspended."""
    reset = await services.reset_all(session, caller, only_expired=True)
    return CyclesResetAnswer(result=CyclesReset(reset=reset))


@router.get("/alerts")
async def list_alerts(caller: SignedIn, session: Read) -> AlertList:
    """List the caller's active alerts, by name."""
    return AlertList(result=list(await alerts.list_alerts(session, caller)))


@router.post("/alerts")
async def create_alert(data: AlertCreate, caller: SignedIn, session: Write) -> AlertAnswer:
    """Have the caller told, once in each cycle, that they have used so much of a quota."""
    return AlertAnswer(message="Alert created", result=await alerts.create_alert(session, caller, data))


@router.put("/alerts/{alert_id}")
async def switch_alert(alert_id: UUID, data: AlertUpdate, caller: AlertOwner, session: Write) -> AlertAnswer:
    """Switch one of the caller's alerts on or off."""
    return AlertAnswer(result=await alerts.switch_alert(session, caller, alert_id, is_active=data.is_active))


@router.delete("/alerts/{alert_id}")
async def delete_alert(alert_id: UUID, caller: AlertOwner, session: Write) -> AlertDeleted:
    """Delete one of the caller's alerts."""
    await alerts.delete_alert(session, caller, alert_id)
    return AlertDeleted()


@router.post("/check-alerts")
async def check_alerts(caller: SignedIn, session: Write) -> Answer:
    """Look now whether the caller's usage has reached what they want to be told of."""
    told = await alerts.check(session, [caller.user_id])
    return Answer(object="billing.check_alerts", message=f"{told} alerts sent")


@router.get("/user/{user_id}")
async def get_billing(user_id: UUID, caller: Reader, session: Read) -> UserBillingAnswer:
    """Return a user's plan in the current cycle."""
    billing = await services.billing_of_user(session, caller, user_id)
    return UserBillingAnswer(message="Billing found", result=billing)


@router.get("/user/{user_id}/usage")
async def get_usage(user_id: UUID, caller: UsageReader, session: Read, dapr: DaprDep) -> UsageAnswer:
    """Return a user's plan and usage in the current cycle."""
    return UsageAnswer(result=await services.current_usage(session, dapr, caller, user_id))
