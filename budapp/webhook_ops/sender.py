"""Delivers events to webhooks: each at least once, for a day; in any order, and a slow webhook holds up no other.

Where a webhook takes nothing for a day it is turned off, and who has made it hears of that.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from prometheus_client import Counter

from budapp.commons.background import BackgroundTasks, stop
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.encryption import DecryptionError
from budapp.commons.leases import Lease, from_now, lease_of
from budapp.commons.logging import get_logger
from budapp.commons.outages import log_failure
from budapp.events.notify import notify_users
from budapp.integrations.outgoing import Outgoing
from budapp.integrations.webhooks import WebhookError, post_signed
from budapp.webhook_ops import crud
from budapp.webhook_ops.models import DeliveryState, Webhook, WebhookDelivery
from budapp.webhook_ops.services import secrets_of

logger = get_logger(__name__)

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (0.1, 0.5, 2, 5, 15, 30, 60, 120, 180, 240, 360, 480))
"""After each attempt that failed: a bit more than a day in all."""
DISABLED_AFTER = timedelta(days=1)
POLL_SECONDS = 1
LEASE = timedelta(seconds=60)
_CONCURRENCY = 10
_GONE = 410
_LONGEST = 1000

DELIVERED = Counter("budapp_webhook_deliveries", "Attempts to deliver events to webhooks", ["outcome"])


class Sender:
    """The background task that delivers, in every replica; `start` and `stop` it with the process."""

    def __init__(self, database: Database, outgoing: Outgoing) -> None:
        self._database = database
        self._outgoing = outgoing
        self._tasks = BackgroundTasks()
        self._under_way: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin, in the background."""
        self._tasks.run(webhooks=self._run)

    async def stop(self) -> None:
        """Break off: what is under way is made again once its lease is over."""
        await self._tasks.stop()
        await stop(*self._under_way)

    async def drain(self) -> int:
        """Deliver what is due now, and return how many attempts that took."""
        attempts = 0
        while tasks := await self._begin():
            await asyncio.gather(*tasks)
            attempts += len(tasks)
        return attempts

    async def _run(self) -> None:
        while True:
            if not await self._begin():
                await asyncio.sleep(POLL_SECONDS)
            elif len(self._under_way) >= _CONCURRENCY:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)

    async def _begin(self) -> list[asyncio.Task[None]]:
        free = _CONCURRENCY - len(self._under_way)
        if free <= 0:
            return []
        async with self._database.write() as session:
            claimed = await crud.claim(session, free, LEASE)
            if not claimed:
                return []
            webhooks = await crud.webhooks_of(session, {delivery.webhook_id for delivery in claimed})
        tasks = [asyncio.create_task(self._deliver(each, webhooks[each.webhook_id])) for each in claimed]
        for task in tasks:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return tasks

    async def _deliver(self, delivery: WebhookDelivery, webhook: Webhook) -> None:
        lease = lease_of(delivery)
        error: WebhookError | None = None
        try:
            error = await self._post(delivery, webhook)
            await self._settle(lease, delivery, error)
        except Exception as failure:  # noqa: BLE001 - a boundary: it is made again once its lease is over
            log_failure(logger, "webhook_not_settled", failure, delivery_id=str(delivery.id))

    async def _post(self, delivery: WebhookDelivery, webhook: Webhook) -> WebhookError | None:
        try:
            keys = secrets_of(self._database.encryption, webhook)
            await post_signed(self._outgoing, webhook.url, delivery.body, keys, message_id=f"msg_{delivery.event_id}")
        except WebhookError as error:
            return error
        except DecryptionError:
            return WebhookError("The secret can't be read; rotate it")
        return None

    async def _settle(self, lease: Lease, delivery: WebhookDelivery, error: WebhookError | None) -> None:
        DELIVERED.labels("failed" if error else "delivered").inc()
        async with self._database.write() as session:
            webhook = await crud.lock(session, delivery.webhook_id)
            if webhook is None:
                return
            if error is None:
                done = {"state": DeliveryState.DELIVERED, "delivered_at": now(), "answered": 200, "last_error": None}
                await lease.settle(session, **done)
                webhook.failing_since = None
                return
            webhook.failing_since = webhook.failing_since or now()
            given_up = delivery.attempts > len(PAUSES)
            await lease.settle(
                session,
                state=DeliveryState.FAILED if given_up else DeliveryState.PENDING,
                next_attempt_at=from_now(PAUSES[min(delivery.attempts, len(PAUSES)) - 1]),
                answered=error.status,
                last_error=str(error)[:_LONGEST],
            )
            if error.status == _GONE or (given_up and webhook.failing_since <= now() - DISABLED_AFTER):
                await _disable(session, webhook, str(error)[:_LONGEST])


async def _disable(session: WriteSession, webhook: Webhook, reason: str) -> None:
    if not webhook.is_active:
        return
    webhook.is_active, webhook.disabled_reason = False, reason
    await session.flush()
    target: tuple[str, UUID] | None = ("project", webhook.project_id) if webhook.project_id else None
    await notify_users(
        session,
        aggregate=f"webhook:{webhook.id}",
        subscriber_ids=[webhook.created_by],
        type="webhook_disabled",
        title=webhook.name,
        message=f"The webhook takes nothing and has been turned off: {reason}",
        target=target,  # type: ignore[arg-type]
        status="FAILED",
    )
