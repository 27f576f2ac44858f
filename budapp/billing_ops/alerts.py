"""Alerts: somebody is told, once in each cycle, that they have used so much of a quota."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from budapp.billing_ops import crud
from budapp.billing_ops.crud import AlertCrud
from budapp.billing_ops.limits import Standing
from budapp.billing_ops.models import AlertType, BillingAlert, UserBilling
from budapp.billing_ops.schemas import AlertCreate
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, now
from budapp.commons.errors import Conflict
from budapp.commons.integrity import conflict_on
from budapp.events.outbox import enqueue_call
from budapp.integrations import budnotify
from budapp.integrations.budnotify import Content, NotificationRequest, Payload
from budapp.user_ops.models import User

Priority = Literal["high", "medium", "low"]

_URGENT = {"high": ("alert-circle", "alert-triangle")}
_ICONS = ("bell", "mail")


async def list_alerts(session: ReadSession, caller: Caller) -> Sequence[BillingAlert]:
    """Return the caller's active alerts, by name."""
    return await AlertCrud(session, caller).all()


async def get_alert(session: ReadSession, caller: Caller, alert_id: UUID) -> BillingAlert:
    """Return the caller's alert, or raise `NotFound`."""
    return await AlertCrud(session, caller).get(alert_id)


async def create_alert(session: WriteSession, caller: Caller, data: AlertCreate) -> BillingAlert:
    """Make an alert for the caller.

    Raises:
        Conflict: the caller has one of that name.
    """
    alert = BillingAlert(tenant_id=caller.tenant_id, user_id=caller.user_id, **data.model_dump())
    session.add(alert)
    taken = Conflict("You have an alert of that name already; choose another", param="name")
    with conflict_on("uq_billing_alert_user_id_name", taken):
        await session.flush()
    return alert


async def switch_alert(session: WriteSession, caller: Caller, alert_id: UUID, *, is_active: bool) -> BillingAlert:
    """Switch the caller's alert on or off, or raise `NotFound`."""
    alert = await AlertCrud(session, caller).get(alert_id, for_update=True)
    alert.is_active = is_active
    await session.flush()
    return alert


async def delete_alert(session: WriteSession, caller: Caller, alert_id: UUID) -> None:
    """Delete the caller's alert, or raise `NotFound`."""
    await session.delete(await AlertCrud(session, caller).get(alert_id, for_update=True))


async def rearm(session: WriteSession, user_id: UUID) -> None:
    """Have all alerts of the user count again: what they are measured by has changed."""
    for alert in await crud.alerts_of(session, user_id):
        alert.last_triggered_at = alert.last_triggered_value = None


async def check_all(database: Database) -> int:
    """Tell all customers whose usage has reached what they wanted to be told of, and return how many alerts it were."""
    async with database.write() as session:
        return await check(session)


async def check(session: WriteSession, user_ids: Collection[UUID] | None = None) -> int:
    """Tell users, or all customers, of thresholds reached in this cycle, and return how many alerts it were."""
    told = 0
    for row in await crud.alerting(session, user_ids):
        standing, alert, billing = Standing.of(row), row.BillingAlert, row.UserBilling
        value, percent = _reached(standing, alert)
        if percent is None or percent < alert.threshold_percent or _was_told(alert, billing):
            continue
        alert.last_triggered_at = alert.last_notification_sent_at = now()
        alert.last_triggered_value = value
        await _tell(session, alert, row.User, billing, percent)
        told += 1
    return told


def _was_told(alert: BillingAlert, billing: UserBilling) -> bool:
    return alert.last_triggered_at is not None and alert.last_triggered_at >= billing.billing_period_start


def _reached(standing: Standing, alert: BillingAlert) -> tuple[Decimal, int | None]:
    """Return what was used, and how many percent of the quota that is; None where there is no limit."""
    tokens, cost = standing.used()
    of_tokens = alert.alert_type == AlertType.TOKEN_USAGE
    used, quota = (Decimal(tokens), standing.tokens_quota) if of_tokens else (cost, standing.cost_quota)
    if quota is None:
        return used, None
    return used, int(100 * used / Decimal(quota)) if quota else 100


def _priority(threshold: int) -> Priority:
    return "high" if threshold >= 90 else "medium" if threshold >= 75 else "low"


async def _tell(session: WriteSession, alert: BillingAlert, user: User, billing: UserBilling, percent: int) -> None:
    what = "Token" if alert.alert_type == AlertType.TOKEN_USAGE else "Cost"
    priority, at = _priority(alert.threshold_percent), now()
    result = {"alert_type": alert.alert_type, "threshold_percent": alert.threshold_percent, "priority": priority}
    icons = _URGENT.get(priority, _ICONS)
    text = {
        "title": f"{what} Usage Alert: {alert.threshold_percent}% Threshold Reached",
        "message": f"{alert.name}: {percent}% of this cycle's quota is used. The cycle ends on "
        f"{billing.billing_period_end:%d %B %Y}.",
        "status": "COMPLETED",
        "tag": f"billing-{alert.alert_type}",
        "result": {**result, "timestamp": at.isoformat()},
    }
    if billing.enable_in_app_notifications:
        payload = Payload(category="inapp", type="billing_alert", content=Content(**text, icon=icons[0]))
        await _send(session, user, [str(user.id)], payload)
    if billing.enable_email_notifications:
        mail = {**text, "tag": f"{text['tag']}-email", "result": _with_address(result, user, at)}
        payload = Payload(category="internal", type="billing_alert_email", content=Content(**mail, icon=icons[1]))
        await _send(session, user, [user.email], payload)


def _with_address(result: dict[str, object], user: User, at: datetime) -> dict[str, object]:
    return {**result, "email": user.email, "timestamp": at.isoformat()}


async def _send(session: WriteSession, user: User, subscribers: list[str], payload: Payload) -> None:
    request = NotificationRequest(name="bud-notification", subscriber_ids=subscribers, payload=payload)
    await enqueue_call(session, budnotify.send_notification(request), aggregate=f"user:{user.id}")
