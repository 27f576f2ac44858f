"""Sends each tenant's sealed entries to where the tenant wants them: in order, and at least once.

How far it has come is noted after an arrival, so what was sent when the process died is sent again.
"""

import json
import secrets
from typing import Annotated, Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from budapp.audit_ops import crud
from budapp.audit_ops.models import AuditDelivery, DeliveryKind
from budapp.audit_ops.schemas import DeliveryUpdate
from budapp.commons.access import Caller
from budapp.commons.backoff import pause_after
from budapp.commons.config import Settings
from budapp.commons.database import Database, ReadSession, WriteSession, now, release
from budapp.commons.domain import provided
from budapp.commons.encryption import DecryptionError
from budapp.commons.errors import AppError, NotFound, UnprocessableContent
from budapp.commons.isolation import each_isolated, forget_failure
from budapp.commons.logging import get_logger
from budapp.commons.signing import SIGNED
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing
from budapp.integrations.storage import Storage
from budapp.integrations.webhooks import WebhookError, earlier_signature, post_signed

logger = get_logger(__name__)

_IN_ONE_POST = 200
_TENANTS_AT_ONCE = 4
_POSTS_IN_ONE_RUN = 20
_SECONDS_PER_TENANT = 240
_JOB = "deliver_audit_entries"


async def get_delivery(session: ReadSession, caller: Caller) -> AuditDelivery:
    """Return where the tenant's entries go.

    Raises:
        NotFound: nowhere.
    """
    found = await crud.delivery_of(session, caller.tenant_id)
    if found is None:
        raise NotFound("Audit delivery is not configured")
    return found


async def remove_delivery(session: WriteSession, caller: Caller) -> None:
    """Deliver no more; `NotFound` where nothing is."""
    await session.delete(await get_delivery(session, caller))


class Delivering:
    """The job that delivers, and what it is told."""

    def __init__(self, settings: Settings, database: Database, storage: Storage, outgoing: Outgoing) -> None:
        self._settings = settings
        self._database = database
        self._storage = storage
        self._outgoing = outgoing

    async def configure(
        self, session: WriteSession, caller: Caller, data: DeliveryUpdate
    ) -> tuple[AuditDelivery, str | None]:
        """Deliver there from now on; returns a secret that was made up.

        Raises:
            UnprocessableContent: the address must not be posted to, or there is no bucket for it.
        """
        await self._check(session, data)
        delivery = await crud.delivery_of(session, caller.tenant_id, for_update=True)
        delivery = delivery or AuditDelivery(tenant_id=caller.tenant_id)
        delivery.kind, delivery.url = data.kind, str(data.url) if data.url else None
        made_up = self._set_secret(delivery, data)
        delivery.attempts, delivery.next_attempt_at, delivery.last_error = 0, now(), None
        if data.position is not None:
            delivery.position = data.position
        session.add(delivery)
        await forget_failure(session, _JOB, caller.tenant_id)
        await session.flush()
        return delivery, made_up

    async def _check(self, session: WriteSession, data: DeliveryUpdate) -> None:
        if data.url is None:
            if self._settings.audit_bucket is None:
                raise UnprocessableContent("AUDIT_BUCKET is not configured", param="kind")
            return
        await release(session)
        try:
            await self._outgoing.check(str(data.url))
        except ForbiddenAddress as error:
            raise UnprocessableContent(str(error), param="url") from error

    def _set_secret(self, delivery: AuditDelivery, data: DeliveryUpdate) -> str | None:
        if data.kind is DeliveryKind.BUCKET:
            delivery.secret_encrypted = None
            return None
        if data.secret is None and delivery.secret_encrypted is not None:
            return None
        secret = data.secret or secrets.token_urlsafe(32)
        delivery.secret_encrypted = self._database.encryption.encrypt(secret, _context(delivery.tenant_id))
        return None if data.secret else secret

    async def run(self) -> None:
        """Deliver what is due, to every tenant."""
        async with self._database.read() as session:
            due = await crud.due_deliveries(session)
        await each_isolated(
            self._database,
            _JOB,
            due,
            self._deliver,
            key=lambda delivery: delivery.tenant_id,
            at_once=_TENANTS_AT_ONCE,
            seconds=_SECONDS_PER_TENANT,
        )

    async def _deliver(self, delivery: AuditDelivery) -> None:
        for _ in range(_POSTS_IN_ONE_RUN):
            if not await self._deliver_some(delivery):
                return

    async def _deliver_some(self, delivery: AuditDelivery) -> bool:
        """Deliver the next entries; False where there are none, or it did not work out."""
        async with self._database.read() as session:
            rows = await crud.sealed_of_tenant(session, delivery.tenant_id, delivery.position, _IN_ONE_POST)
        if not rows:
            return False
        try:
            await self._send(delivery, rows)
        except (WebhookError, AppError, DecryptionError) as error:
            logger.warning("audit_not_delivered", tenant_id=str(delivery.tenant_id), error=repr(error))
            await self._settle(delivery, delivery.position, str(error)[:1000])
            return False
        return await self._settle(delivery, rows[-1]["position"], None)

    async def _send(self, delivery: AuditDelivery, rows: list[dict[str, Any]]) -> None:
        first, last = rows[0]["position"], rows[-1]["position"]
        body = {
            "object": "audit.delivery",
            "tenant_id": str(delivery.tenant_id),
            "head": {"position": last, "chain_hash": rows[-1]["chain_hash"]},
            "entries": [_on_the_wire(row) for row in rows],
        }
        content = json.dumps(body, separators=(",", ":"))
        if delivery.kind == DeliveryKind.BUCKET:
            name = f"{delivery.tenant_id}/{first:012}-{last:012}.json"
            await self._storage.put(self._settings.audit_bucket or "", name, content.encode(), "application/json")
            return
        secret = self._database.encryption.decrypt(delivery.secret_encrypted or "", _context(delivery.tenant_id))
        headers = {"X-Budapp-Delivery": f"{first}-{last}", **earlier_signature(content, secret)}
        message_id = f"audit_{delivery.tenant_id}_{first}-{last}"
        url = delivery.url or ""
        await post_signed(self._outgoing, url, content, [secret], message_id=message_id, headers=headers)

    async def _settle(self, sent: AuditDelivery, position: int, error: str | None) -> bool:
        """Note the outcome, unless the tenant has changed where to deliver meanwhile."""
        async with self._database.write() as session:
            delivery = await crud.delivery_of(session, sent.tenant_id, for_update=True)
            if delivery is None or (delivery.position, delivery.url) != (sent.position, sent.url):
                return False
            delivery.position = sent.position = position
            delivery.last_error = error
            delivery.attempts = delivery.attempts + 1 if error else 0
            if error:
                delivery.next_attempt_at = now() + pause_after(delivery.attempts)
            else:
                delivery.delivered_at = now()
        return True


def _on_the_wire(row: dict[str, Any]) -> dict[str, Any]:
    wire: dict[str, Any] = to_jsonable_python(
        {name: row[name] for name in (*SIGNED, "record_hash", "position", "chain_hash")}
    )
    return wire | {"timestamp": row["timestamp"].isoformat()}


def _context(tenant_id: UUID) -> str:
    return f"audit_delivery:{tenant_id}"


DeliveringDep = Annotated[Delivering, provided(Delivering)]
