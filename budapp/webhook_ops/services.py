"""Webhooks of tenants and projects, as the people see them who manage them."""

import base64
import json
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from uuid_utils.compat import uuid7

from budapp.commons import advisory_locks
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession, WriteSession, now
from budapp.commons.encrypted_columns import seal
from budapp.commons.encryption import Encryption
from budapp.commons.errors import BadRequest, Forbidden, UnprocessableContent
from budapp.commons.scopes import Scope
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing
from budapp.project_ops.services import MANAGING
from budapp.webhook_ops import crud
from budapp.webhook_ops.crud import DeliveryCrud, WebhookCrud
from budapp.webhook_ops.models import DeliveryState, Webhook, WebhookDelivery
from budapp.webhook_ops.schemas import DeliveryQuery, WebhookCreate, WebhookQuery, WebhookUpdate

KEEP = timedelta(days=30)
OLD_SECRET_LASTS = timedelta(days=1)
TEST_EVENT = "webhook.test"
MOST_OF_TENANT = 100
_AT_ONCE = 5000
_PERSONAL = "notification"


async def list_webhooks(session: ReadSession, caller: Caller, query: WebhookQuery) -> Page:
    """Return a page of the webhooks that the caller may manage."""
    return await WebhookCrud(session, caller).page_of_webhooks(query)


async def get_webhook(session: ReadSession, caller: Caller, webhook_id: UUID) -> Webhook:
    """Return a webhook that the caller may manage.

    Raises:
        NotFound: no such webhook, or none that the caller may manage.
    """
    return await WebhookCrud(session, caller).get(webhook_id)


async def create_webhook(
    session: WriteSession, outgoing: Outgoing, caller: Caller, data: WebhookCreate
) -> tuple[Webhook, str]:
    """Make a webhook, and return the secret that its posts are signed with.

    Raises:
        NotFound, Forbidden: the caller may not manage the project, or the tenant's webhooks.
        UnprocessableContent: the address must not be posted to, or there are too many webhooks.
    """
    await _check_address(outgoing, str(data.url))
    if data.project_id is not None:
        await MANAGING.check(session, caller, data.project_id, lock="share")
    elif not caller.may(Scope.USER_MANAGE):
        raise Forbidden(f"Permission required: {Scope.USER_MANAGE}; or name a project that you manage")
    await _refuse_too_many(session, caller)
    owned = {"tenant_id": caller.tenant_id, "created_by": caller.user_id, "project_id": data.project_id}
    webhook = Webhook(id=uuid7(), name=data.name, url=str(data.url), event_types=data.event_types, **owned)
    secret = _new_secret(session, webhook)
    session.add(webhook)
    await session.flush()
    return webhook, secret


async def update_webhook(
    session: WriteSession, outgoing: Outgoing, caller: Caller, webhook_id: UUID, data: WebhookUpdate
) -> Webhook:
    """Change what is given; a webhook that is turned on again goes on with what waits.

    Raises:
        NotFound: no such webhook, or none that the caller may manage.
        UnprocessableContent: the address must not be posted to, or too many webhooks are turned on.
    """
    if data.url is not None:
        await _check_address(outgoing, str(data.url))
    webhook = await WebhookCrud(session, caller).get(webhook_id, for_update=True)
    if data.is_active and not webhook.is_active:
        await _refuse_too_many(session, caller, param="is_active")
    for name, value in data.model_dump(exclude_none=True, mode="json").items():
        setattr(webhook, name, value)
    if data.is_active or data.url is not None:
        webhook.failing_since = None
    if data.is_active is not None:
        webhook.disabled_reason = None if data.is_active else "Turned off"
    await session.flush()
    return webhook


async def rotate_secret(session: WriteSession, caller: Caller, webhook_id: UUID) -> tuple[Webhook, str]:
    """Give the webhook another secret; posts are signed with the old one, too, for a day.

    Raises:
        NotFound: no such webhook, or none that the caller may manage.
    """
    webhook = await WebhookCrud(session, caller).get(webhook_id, for_update=True)
    encryption: Encryption = session.info["encryption"]
    seal(encryption, webhook, Webhook.old_secret_encrypted, open_secret(encryption, webhook))
    webhook.old_secret_until = now() + OLD_SECRET_LASTS
    secret = _new_secret(session, webhook)
    await session.flush()
    return webhook, secret


async def delete_webhook(session: WriteSession, caller: Caller, webhook_id: UUID) -> None:
    """Delete a webhook with its deliveries; `NotFound` where the caller may not manage it."""
    await session.delete(await WebhookCrud(session, caller).get(webhook_id, for_update=True))


async def list_deliveries(session: ReadSession, caller: Caller, webhook_id: UUID, query: DeliveryQuery) -> Page:
    """Return a page of the webhook's deliveries, the newest first; `NotFound` where the caller may not manage it."""
    webhook = await get_webhook(session, caller, webhook_id)
    return await DeliveryCrud(session, webhook, caller).page_of_deliveries(query)


async def replay(session: WriteSession, caller: Caller, webhook_id: UUID, delivery_id: UUID) -> int:
    """Make a delivery again, whatever came of it; the receiver can tell by its id that it is the same.

    Raises:
        NotFound: no such webhook or delivery, or none that the caller may manage.
    """
    webhook = await get_webhook(session, caller, webhook_id)
    found = await DeliveryCrud(session, webhook, caller).get(delivery_id, for_update=True)
    found.state, found.attempts, found.next_attempt_at = DeliveryState.PENDING, 0, now()
    return 1


async def replay_failed(session: WriteSession, caller: Caller, webhook_id: UUID) -> int:
    """Make all deliveries again that were given up; returns how many. `NotFound` where the caller may not."""
    webhook = await get_webhook(session, caller, webhook_id)
    return await DeliveryCrud(session, webhook, caller).revive_failed()


async def send_test(session: WriteSession, caller: Caller, webhook_id: UUID) -> WebhookDelivery:
    """Have a `webhook.test` delivered.

    Raises:
        NotFound: no such webhook, or none that the caller may manage.
        BadRequest: it is turned off.
    """
    webhook = await get_webhook(session, caller, webhook_id)
    if not webhook.is_active:
        raise BadRequest("The webhook is turned off; turn it on first", param="is_active")
    told = {"type": "webhook", "id": str(webhook.id)}
    delivery = _delivery(webhook, uuid7(), TEST_EVENT, {"object": told, "data": {"name": webhook.name}})
    session.add(delivery)
    await session.flush()
    return delivery


async def take_events(session: WriteSession, rows: Sequence[Row[Any]]) -> None:
    """Have events delivered to the webhooks that ask for them; those of one person alone are nobody else's."""
    told = [row for row in rows if row.object_type not in (_PERSONAL, "user")]
    if not told:
        return
    webhooks = await crud.active_of(session, {row.stream for row in told})
    for row in told:
        for webhook in webhooks:
            if webhook.tenant_id == row.stream and _wants(webhook, row):
                about = {"object": {"type": row.object_type, "id": str(row.object_id)}, "data": row.data}
                session.add(_delivery(webhook, row.id, row.type, about, row.created_at))


async def purge_deliveries(database: Database) -> None:
    """Delete the deliveries that are older than `KEEP`."""
    while True:
        async with database.write() as session:
            if await crud.delete_before(session, now() - KEEP, _AT_ONCE) < _AT_ONCE:
                return


def open_secret(encryption: Encryption, webhook: Webhook) -> str:
    """Return the secret of a webhook in clear."""
    return encryption.decrypt(webhook.secret_encrypted, f"webhook:{webhook.id}")


def secrets_of(encryption: Encryption, webhook: Webhook) -> list[str]:
    """Return the secrets that a webhook's posts are signed with now."""
    found = [open_secret(encryption, webhook)]
    if webhook.old_secret_encrypted and webhook.old_secret_until and webhook.old_secret_until > now():
        found.append(encryption.decrypt(webhook.old_secret_encrypted, f"webhook_old:{webhook.id}"))
    return found


def _wants(webhook: Webhook, row: Row[Any]) -> bool:
    if webhook.project_id is not None and row.audience.get("project") != str(webhook.project_id):
        return False
    types = webhook.event_types
    return not types or row.type in types or row.type.partition(".")[0] in types


def _delivery(
    webhook: Webhook, event_id: UUID, type: str, about: dict[str, Any], happened_at: Any = None
) -> WebhookDelivery:
    body = {"type": type, "timestamp": (happened_at or now()).isoformat(), **about}
    return WebhookDelivery(
        tenant_id=webhook.tenant_id,
        webhook_id=webhook.id,
        event_id=event_id,
        event_type=type,
        body=json.dumps(body, separators=(",", ":")),
    )


def _new_secret(session: WriteSession, webhook: Webhook) -> str:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    seal(session.info["encryption"], webhook, Webhook.secret_encrypted, secret)
    return secret


async def _refuse_too_many(session: WriteSession, caller: Caller, *, param: str | None = None) -> None:
    await advisory_locks.lock(session, f"budapp:webhooks:{caller.tenant_id}")
    if len(await crud.active_of(session, [caller.tenant_id])) >= MOST_OF_TENANT:
        raise UnprocessableContent(f"A tenant has at most {MOST_OF_TENANT} webhooks that are turned on", param=param)


async def _check_address(outgoing: Outgoing, url: str) -> None:
    try:
        await outgoing.check(url)
    except ForbiddenAddress as error:
        raise UnprocessableContent(str(error), param="url") from error
