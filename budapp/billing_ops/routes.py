from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from budapp.billing_ops import services
from budapp.billing_ops.schemas import BilledUsers, BillingSetup, PlanList, UsageAnswer, UserBillingAnswer
from budapp.commons.access import Caller, Requires, SignedIn, public
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.integrations.dapr import DaprDep
from budapp.user_ops.services import get_user

router = APIRouter(prefix="/billing", tags=["billing"], route_class=IdempotentRoute)

Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
Reader = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.billing_of_user))]
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
async def list_users_with_billing(caller: Manager, session: Read) -> BilledUsers:
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


@router.get("/user/{user_id}")
async def get_billing(user_id: UUID, caller: Reader, session: Read) -> UserBillingAnswer:
    """Return a user's plan in the current cycle."""
    billing = await services.billing_of_user(session, caller, user_id)
    return UserBillingAnswer(message="Billing found", result=billing)


@router.get("/user/{user_id}/usage")
async def get_usage(user_id: UUID, caller: UsageReader, session: Read, dapr: DaprDep) -> UsageAnswer:
    """Return a user's plan and usage in the current cycle."""
    return UsageAnswer(result=await services.current_usage(session, dapr, caller, user_id))
