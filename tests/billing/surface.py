from datetime import timedelta

from budapp.billing_ops.models import FREE_PLAN_ID, UserBilling
from budapp.commons.database import now
from tests.surface.share import Audited, SeedContext, Share, Things, Valid

_PLAN = {"billing_plan_id": str(FREE_PLAN_ID)}


async def _seed(context: SeedContext) -> Things:
    start = now().replace(microsecond=0)
    row = UserBilling(tenant_id=context.tenant_id, user_id=context.id_of("user_id"), billing_plan_id=FREE_PLAN_ID)
    row.billing_period_start, row.billing_period_end = start, start + timedelta(days=30)
    await context.add(row)
    return {}


share = Share(
    "billing_ops",
    seed=_seed,
    requests={
        "POST /billing/setup": Valid(lambda t: {"user_id": t["visitor_id"], **_PLAN}),
        "PUT /billing/plan": Valid(lambda t: {"user_id": t["user_id"], "custom_token_quota": 7, **_PLAN}),
    },
    audited={
        "POST /billing/setup": Audited("create", "setting"),
        "PUT /billing/plan": Audited("update", "setting"),
    },
)
