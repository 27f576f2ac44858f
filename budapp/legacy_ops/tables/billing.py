"""What people may use, and what they are told of it."""

from budapp.billing_ops.models import BillingAlert, UserBilling
from budapp.legacy_ops.declarations import OLDEST, Move, Ref

_USER = Ref("user")

MOVES = (
    Move(
        "user_billing",
        UserBilling,
        order=OLDEST,
        refs={"user_id": _USER, "billing_plan_id": Ref("billing_plans")},
        tenant="user_id",
        later={"superseded_by_id": "user_billing"},
    ),
    Move("billing_alerts", BillingAlert, order=OLDEST, refs={"user_id": _USER}, tenant="user_id"),
)
