from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Active, ActiveAccess, Caller
from budapp.commons.database import Read, Write
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.integrations.outgoing import Outgoing
from budapp.webhook_ops import services
from budapp.webhook_ops.schemas import (
    DeliveryList,
    DeliveryQuery,
    Replayed,
    WebhookAnswer,
    WebhookCreate,
    WebhookDeleted,
    WebhookDeliveryView,
    WebhookList,
    WebhookQuery,
    WebhookTested,
    WebhookUpdate,
)

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=IdempotentRoute)

Manager = Annotated[Caller, Depends(ActiveAccess(row=services.get_webhook))]
OutgoingDep = Annotated[Outgoing, provided(Outgoing)]


@router.get("")
async def list_webhooks(caller: Active, session: Read, query: Annotated[WebhookQuery, Query()]) -> WebhookList:
    """List the webhooks that the caller may manage: with user:manage the tenant's, with project:manage a project's."""
    return WebhookList.of(await services.list_webhooks(session, caller, query))


@router.post("")
async def create_webhook(data: WebhookCreate, caller: Active, session: Write, outgoing: OutgoingDep) -> WebhookAnswer:
    """Have what happens posted to an address, signed by Standard Webhooks; the secret is shown once."""
    webhook, secret = await services.create_webhook(session, outgoing, caller, data)
    return WebhookAnswer.of(webhook, "Webhook created", secret)


@router.get("/{webhook_id}")
async def get_webhook(webhook_id: UUID, caller: Manager, session: Read) -> WebhookAnswer:
    """Return a webhook."""
    return WebhookAnswer.of(await services.get_webhook(session, caller, webhook_id))


@router.patch("/{webhook_id}")
async def update_webhook(
    webhook_id: UUID, data: WebhookUpdate, caller: Manager, session: Write, outgoing: OutgoingDep
) -> WebhookAnswer:
    """Change a webhook, or turn it on again; what waits for it is then delivered."""
    changed = await services.update_webhook(session, outgoing, caller, webhook_id, data)
    return WebhookAnswer.of(changed, "Webhook changed")


@router.delete("/{webhook_id}")
async def delete_webhook(webhook_id: UUID, caller: Manager, session: Write) -> WebhookDeleted:
    """Delete a webhook and what it was sent."""
    await services.delete_webhook(session, caller, webhook_id)
    return WebhookDeleted()


@router.post("/{webhook_id}/rotate-secret")
async def rotate_secret(webhook_id: UUID, caller: Manager, session: Write) -> WebhookAnswer:
    """Make another secret, shown once; for a day, posts are signed with the old one as well."""
    webhook, secret = await services.rotate_secret(session, caller, webhook_id)
    return WebhookAnswer.of(webhook, "Secret rotated", secret)


@router.post("/{webhook_id}/test")
async def send_test(webhook_id: UUID, caller: Manager, session: Write) -> WebhookTested:
    """Have a `webhook.test` event delivered; look at the deliveries for what came of it."""
    delivery = await services.send_test(session, caller, webhook_id)
    return WebhookTested(delivery=WebhookDeliveryView.model_validate(delivery))


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: UUID, caller: Manager, session: Read, query: Annotated[DeliveryQuery, Query()]
) -> DeliveryList:
    """List what a webhook was sent in the last 30 days, and what came of it, the newest first."""
    return DeliveryList.of(await services.list_deliveries(session, caller, webhook_id, query))


@router.post("/{webhook_id}/replay")
async def replay_failed(webhook_id: UUID, caller: Manager, session: Write) -> Replayed:
    """Make all deliveries again that were given up."""
    return Replayed(replayed=await services.replay_failed(session, caller, webhook_id))


@router.post("/{webhook_id}/deliveries/{delivery_id}/replay")
async def replay(webhook_id: UUID, delivery_id: UUID, caller: Manager, session: Write) -> Replayed:
    """Make one delivery again, whatever came of it."""
    return Replayed(replayed=await services.replay(session, caller, webhook_id, delivery_id))
