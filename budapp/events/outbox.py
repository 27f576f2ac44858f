"""What a unit of work wants told to other services, written in its own transaction; the relay delivers it."""

import asyncio
import json
from typing import Any

from opentelemetry.propagate import inject
from uuid_utils.compat import uuid7

from budapp.commons.context import request_id
from budapp.commons.database import ReadSession, WriteSession, after_commit
from budapp.commons.encrypted_columns import seal, unseal
from budapp.commons.encryption import Encryption
from budapp.events.models import OutboxMessage
from budapp.integrations.peers import PeerCall

wakeups: set[asyncio.Event] = set()
"""Set after each commit that left a message, so that a relay in this process need not wait for its next look."""


async def enqueue_publish(
    session: WriteSession, *, aggregate: str, topic: str, payload: dict[str, Any], secret: bool = False
) -> None:
    """Publish the payload on the topic once the unit of work is committed.

    Args:
        session: the unit of work. What it has changed so far is flushed first: change the aggregate's row before
            enqueueing, and messages of parallel units of work leave in the order of their changes.
        aggregate: what the message is about, such as `user:<id>`; messages of one aggregate never overtake each other.
        topic: the pub/sub topic.
        payload: the flat envelope, see `DaprClient.publish`.
        secret: whether the payload must not lie in the database in clear.
    """
    await _enqueue(session, OutboxMessage(aggregate=aggregate, kind="publish", target=topic), payload, secret)


async def enqueue_call(session: WriteSession, call: PeerCall, *, aggregate: str, secret: bool = False) -> None:
    """Call a peer once the unit of work is committed; its answer is only looked at for success.

    It may be called twice, whatever the method, so the peer must bear that. See `enqueue_publish` for the rest.
    """
    target = {"target": call.app_id, "method": call.method, "path": call.path}
    await _enqueue(session, OutboxMessage(aggregate=aggregate, kind="invoke", **target), call.json, secret)


async def _enqueue(session: WriteSession, message: OutboxMessage, payload: Any, secret: bool) -> None:
    await session.flush()
    message.id = uuid7()
    message.request_id = request_id.get()
    message.traceparent = _traceparent()
    if secret:
        encryption: Encryption = session.info["encryption"]
        seal(encryption, message, OutboxMessage.payload_encrypted, json.dumps(payload))
    else:
        message.payload = payload
    session.add(message)
    await session.flush()
    if _wake_relays not in session.info.get("after_commit", ()):
        after_commit(session, _wake_relays)


def open_payload(message: OutboxMessage, session: ReadSession) -> Any:
    """Return the message's payload in clear.

    Raises:
        DecryptionError: the key that it was sealed with is gone.
    """
    if message.payload_encrypted is None:
        return message.payload
    encryption: Encryption = session.info["encryption"]
    return json.loads(unseal(encryption, message, OutboxMessage.payload_encrypted))


def _traceparent() -> str | None:
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


async def _wake_relays() -> None:
    for wakeup in wakeups:
        wakeup.set()
