from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import aliased

from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, now
from budapp.commons.leases import is_free, take
from budapp.commons.paging import equal
from budapp.commons.scopes import Scope
from budapp.project_ops.services import projects_holding
from budapp.webhook_ops.models import DeliveryState, Webhook, WebhookDelivery
from budapp.webhook_ops.schemas import DeliveryQuery, WebhookDeliveryView, WebhookQuery, WebhookView

SORTABLE = {name: getattr(Webhook, name) for name in ("id", "name", "created_at")}
SORTABLE_DELIVERIES = {name: getattr(WebhookDelivery, name) for name in ("id", "created_at")}

_MOST_AT_ONCE = 2
"""How many deliveries of one webhook are under way at once."""


class WebhookCrud(Crud[Webhook]):
    """The webhooks that the caller may manage: by user:manage those of the tenant, by project:manage a project's."""

    model = Webhook
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add what must be held."""
        managed = Webhook.project_id.in_(projects_holding(self.session, self.caller, Scope.PROJECT_MANAGE))
        if self.caller.may(Scope.USER_MANAGE):
            return [*super().reach(), or_(Webhook.project_id.is_(None), managed)]
        return [*super().reach(), managed]

    async def page_of_webhooks(self, query: WebhookQuery) -> Page:
        """Return a page of `WebhookView` columns, the newest first."""
        columns = [getattr(Webhook, name) for name in WebhookView.model_fields]
        found = self.visible(*columns).where(*equal(query, project_id=Webhook.project_id))
        return await self.page(query, found, SORTABLE)


class DeliveryCrud(Crud[WebhookDelivery]):
    """The deliveries of one webhook, which the caller has been found to manage."""

    model = WebhookDelivery
    soft_deleted = False

    def __init__(self, session: ReadSession, webhook: Webhook, caller: Any) -> None:
        super().__init__(session, caller)
        self.webhook = webhook

    def reach(self) -> list[Any]:
        """Add that they are the webhook's."""
        return [*super().reach(), WebhookDelivery.webhook_id == self.webhook.id]

    async def page_of_deliveries(self, query: DeliveryQuery) -> Page:
        """Return a page of `WebhookDeliveryView` columns, the newest first."""
        columns = [getattr(WebhookDelivery, name) for name in WebhookDeliveryView.model_fields]
        found = self.visible(*columns).where(*equal(query, state=WebhookDelivery.state))
        return await self.page(query, found, SORTABLE_DELIVERIES)

    async def revive_failed(self) -> int:
        """Have those that were given up made again; returns how many."""
        again = {"state": DeliveryState.PENDING, "attempts": 0, "next_attempt_at": now()}
        failed = WebhookDelivery.state == DeliveryState.FAILED
        statement = update(WebhookDelivery).where(*self.reach(), failed).values(**again)
        found = await self.session.execute(statement.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", found).rowcount


async def active_of(session: ReadSession, tenant_ids: Collection[UUID]) -> Sequence[Webhook]:
    """Return the webhooks of the tenants that are turned on."""
    statement = select(Webhook).where(Webhook.tenant_id.in_(tenant_ids), Webhook.is_active)
    return (await session.scalars(statement)).all()


async def lock(session: WriteSession, webhook_id: UUID) -> Webhook | None:
    """Return the webhook, locked."""
    statement = select(Webhook).where(Webhook.id == webhook_id).with_for_update()
    found: Webhook | None = await session.scalar(statement)
    return found


async def claim(session: WriteSession, limit: int, lease: timedelta) -> Sequence[WebhookDelivery]:
    """Take deliveries that are due: one of each webhook, where not too many of it are under way."""
    return await take(session, WebhookDelivery, _due(limit), lease, attempts=WebhookDelivery.attempts + 1)


@cache  # to build it takes longer than to ask for it, once a second
def _due(limit: int) -> Select[UUID]:
    other = aliased(WebhookDelivery)
    same = other.webhook_id == WebhookDelivery.webhook_id
    before = and_(same, other.state == DeliveryState.PENDING, other.id < WebhookDelivery.id)
    due_before = select(other.id).where(before, other.next_attempt_at <= func.now(), is_free(other))
    under_way = select(func.count()).where(same, other.lock_expires_at > func.now()).scalar_subquery()
    return (
        select(WebhookDelivery.id)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(
            WebhookDelivery.state == DeliveryState.PENDING,
            WebhookDelivery.next_attempt_at <= func.now(),
            Webhook.is_active,
            ~due_before.exists(),
            under_way < _MOST_AT_ONCE,
        )
        .order_by(WebhookDelivery.next_attempt_at)
        .limit(limit)
    )


async def webhooks_of(session: ReadSession, ids: Collection[UUID]) -> dict[UUID, Webhook]:
    """Return the webhooks by id."""
    return {row.id: row for row in await session.scalars(select(Webhook).where(Webhook.id.in_(ids)))}


async def delete_before(session: WriteSession, moment: datetime, limit: int) -> int:
    """Delete so many of the deliveries that are older; returns how many there were."""
    old = select(WebhookDelivery.id).where(WebhookDelivery.created_at < moment).limit(limit)
    statement = delete(WebhookDelivery).where(WebhookDelivery.id.in_(old))
    found = await session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", found).rowcount
