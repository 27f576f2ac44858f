from datetime import timedelta

from sqlalchemy import update

from budapp.billing_ops.models import FREE_PLAN_ID, BillingAlert, UserBilling, UserUsage
from budapp.commons.database import now
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid

_PLAN = {"billing_plan_id": str(FREE_PLAN_ID)}


async def _seed(context: SeedContext) -> Things:
    start = now().replace(microsecond=0)
    row = UserBilling(tenant_id=context.tenant_id, user_id=context.id_of("user_id"), billing_plan_id=FREE_PLAN_ID)
    row.billing_period_start, row.billing_period_end = start, start + timedelta(days=30)
    of_user = {"tenant_id": context.tenant_id, "user_id": context.id_of("user_id")}
    usage = UserUsage(period_start=start, tokens_used=7, **of_user)
    mine = {"tenant_id": context.tenant_id, "user_id": context.owner.id}
    alert = BillingAlert(name="Half", alert_type="token_usage", threshold_percent=50, **mine)
    await context.add(row, usage, alert)
    return {"alert_id": str(alert.id)}


async def _own_alert(context: RequestContext) -> None:
    """Have the caller own the tenant's alert."""
    if context.person is None or not context.is_of_the_tenant:
        return
    async with context.database.write() as session:
        mine = BillingAlert.tenant_id == context.person.tenant_id
        await session.execute(update(BillingAlert).where(mine).values(user_id=context.person.id))


async def _own_plan(context: RequestContext) -> None:
    """Have the caller have the tenant's only plan."""
    if context.person is None or not context.is_of_the_tenant:
        return
    async with context.database.write() as session:
        current = (UserBilling.tenant_id == context.person.tenant_id, UserBilling.is_current)
        await session.execute(update(UserBilling).where(*current).values(user_id=context.person.id))


share = Share(
    "billing_ops",
    seed=_seed,
    requests={
        "POST /billing/setup": Valid(lambda t: {"user_id": t["visitor_id"], **_PLAN}),
        "POST /billing/history": Valid(
            lambda t: {"start_date": "2026-11-01T00:00:00Z", "end_date": "2026-11-08T00:00:00Z"}
        ),
        "GET /billing/history/period": Valid(
            query=lambda t: {"date": (now() + timedelta(minutes=1)).isoformat()}, prepare=_own_plan
        ),
        "POST /billing/alerts": Valid(
            lambda t: {"name": f"Alert {t['fresh']}", "alert_type": "cost_usage", "threshold_percent": 90}
        ),
        "PUT /billing/alerts/{alert_id}": Valid(lambda t: {"is_active": False}, prepare=_own_alert),
        "DELETE /billing/alerts/{alert_id}": Valid(prepare=_own_alert),
        "PUT /billing/notification-preferences": Valid(
            lambda t: {"enable_email_notifications": False}, prepare=_own_plan
        ),
        "PUT /billing/plan": Valid(lambda t: {"user_id": t["user_id"], "custom_token_quota": 7, **_PLAN}),
    },
    audited={
        "POST /billing/setup": Audited("create", "setting"),
        "PUT /billing/plan": Audited("update", "setting"),
        "POST /billing/alerts": Audited("create", "alert"),
        "PUT /billing/alerts/{alert_id}": Audited("update", "alert"),
        "DELETE /billing/alerts/{alert_id}": Audited("delete", "alert"),
        "PUT /billing/notification-preferences": Audited("update", "setting"),
        "POST /billing/reset/{user_id}": Audited("create", "setting"),
        "POST /billing/reset-all": Audited("create", "setting"),
    },
    changes_nothing={
        "POST /billing/history": "budmetrics is asked, and nothing is kept",
        "POST /billing/check-alerts": "what was told is noted in the alerts, and is no decision of anybody's",
        "POST /billing/reset-expired": "no cycle of the scene is over",
    },
)
