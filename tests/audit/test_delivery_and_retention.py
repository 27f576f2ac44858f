"""Entries that leave the house, and entries that leave for good."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError
from standardwebhooks import Webhook

from budapp.audit.hash_chain import seal
from budapp.audit.models import AuditEntry
from budapp.audit.verification import verify_chain
from budapp.audit_ops.delivery import Delivering
from budapp.audit_ops.models import AuditDelivery
from budapp.audit_ops.retention import remove_old
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.commons.isolation import JobFailure
from budapp.integrations.outgoing import Outgoing
from budapp.integrations.storage import Storage
from budapp.integrations.webhooks import WebhookError, post_signed
from tests.audit.data import by_hand, entries
from tests.cast import Cast
from tests.projects.data import create

SECRET = "a-secret-of-the-customer"


class Receiver:
    """A customer's webhook."""

    def __init__(self) -> None:
        self.status = 200
        self.posts: list[dict[str, Any]] = []
        self.url = ""

    @property
    def positions(self) -> list[int]:
        return [entry["position"] for post in self.posts for entry in post["entries"]]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = (line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        headers = {name.lower(): value for name, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        signed = f"{headers['x-budapp-timestamp']}.".encode() + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["x-budapp-signature"] == f"sha256={expected}"
        Webhook(SECRET.encode()).verify(body, headers)
        if self.status == 200:
            self.posts.append(json.loads(body))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/audit"
    async with server:
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
def delivering(app: FastAPI) -> Iterator[Delivering]:
    """The job, in an installation that lets webhooks be private."""
    components = components_of(app)
    settings = components[Settings].model_copy(update={"audit_bucket": "audit-test"})
    usual = components[Delivering]
    lenient = Delivering(settings, components[Database], components[Storage], Outgoing(["127.0.0.0/8"]))
    components.override(Delivering, lenient)
    yield lenient
    components.override(Delivering, usual)


async def configure(client: httpx.AsyncClient, cast: Cast, **body: Any) -> httpx.Response:
    return await client.put("/audit/delivery", json=body, headers=cast.admin.headers)


async def state(client: httpx.AsyncClient, cast: Cast) -> dict[str, Any]:
    answer = await client.get("/audit/delivery", headers=cast.admin.headers)
    found: dict[str, Any] = answer.json()["delivery"]
    assert SECRET not in answer.text
    return found


async def test_entries_arrive_signed_in_order_and_once(
    client: httpx.AsyncClient, cast: Cast, database: Database, delivering: Delivering, receiver: Receiver
) -> None:
    assert (await configure(client, cast, kind="webhook", url=receiver.url, secret=SECRET)).status_code == 200
    for name in ("one", "two"):
        await create(client, cast.manager, name=name)
        await seal(database)
        await delivering.run()
    await delivering.run()
    head = (await verify_chain(database, cast.tenant_id)).head
    assert receiver.positions == list(range(1, head[0] + 1))
    assert receiver.posts[-1]["head"] == {"position": head[0], "chain_hash": head[1]}
    assert (await state(client, cast))["position"] == head[0]


async def test_what_did_not_arrive_is_sent_again_later(
    client: httpx.AsyncClient, cast: Cast, database: Database, delivering: Delivering, receiver: Receiver
) -> None:
    await configure(client, cast, kind="webhook", url=receiver.url, secret=SECRET)
    await seal(database)
    receiver.status = 500
    await delivering.run()
    failed = await state(client, cast)
    assert (failed["attempts"], failed["position"]) == (1, 0)
    assert "500" in failed["last_error"]
    receiver.status = 200
    await delivering.run()
    assert receiver.posts == []
    async with database.write() as session:
        await session.execute(update(AuditDelivery).values(next_attempt_at=now()))
    await delivering.run()
    assert receiver.positions[0] == 1
    assert (await state(client, cast))["last_error"] is None


async def test_a_crash_between_arrival_and_note_sends_again(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    delivering: Delivering,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await configure(client, cast, kind="webhook", url=receiver.url, secret=SECRET)
    await seal(database)

    async def crash(*_: Any) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(delivering, "_settle", crash)
        await asyncio.gather(delivering.run(), return_exceptions=True)
    await delivering.run()
    assert len(receiver.posts) == 2
    assert receiver.posts[0] == receiver.posts[1]


async def test_entries_arrive_in_the_bucket(
    client: httpx.AsyncClient, cast: Cast, database: Database, delivering: Delivering, app: FastAPI
) -> None:
    await components_of(app)[Storage].ensure_bucket("audit-test")
    await configure(client, cast, kind="bucket")
    await seal(database)
    await delivering.run()
    found = await state(client, cast)
    assert (found["last_error"], found["position"] > 0) == (None, True)
    name = f"{cast.tenant_id}/{1:012}-{found['position']:012}.json"
    assert await components_of(app)[Storage].size("audit-test", name) > 0


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "http://example.com/",
    ],
)
async def test_webhooks_inside_our_walls_are_refused(
    client: httpx.AsyncClient, cast: Cast, delivering: Delivering, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(delivering, "_outgoing", Outgoing())
    answer = await configure(client, cast, kind="webhook", url=url)
    assert (answer.status_code, answer.json()["param"]) == (422, "url")
    with pytest.raises(WebhookError):
        await post_signed(Outgoing(), url, "{}", [SECRET], message_id="m")


async def test_a_secret_that_is_made_up_is_shown_once(
    client: httpx.AsyncClient, cast: Cast, delivering: Delivering, receiver: Receiver, database: Database
) -> None:
    made_up = (await configure(client, cast, kind="webhook", url=receiver.url)).json()["secret"]
    assert len(made_up) > 30
    assert (await configure(client, cast, kind="webhook", url=receiver.url)).json()["secret"] is None
    (first, *_) = await entries(database, AuditEntry.action == "config_changed")
    assert first.new_state is not None
    assert first.new_state["secret_encrypted"] == "***"
    assert (await client.delete("/audit/delivery", headers=cast.admin.headers)).status_code == 200
    assert (await client.get("/audit/delivery", headers=cast.admin.headers)).status_code == 404


async def test_a_new_address_is_tried_at_once_and_from_the_place_that_is_asked_for(
    client: httpx.AsyncClient, cast: Cast, database: Database, delivering: Delivering, receiver: Receiver
) -> None:
    await configure(client, cast, kind="webhook", url=receiver.url, secret=SECRET)
    await seal(database)
    receiver.status = 500
    await delivering.run()
    assert (await state(client, cast))["attempts"] == 1
    receiver.status = 200
    async with database.write() as session:  # as after a mistake of ours
        later = {"reason": "r", "next_attempt_at": now() + timedelta(days=1)}
        session.add(JobFailure(job="deliver_audit_entries", item=str(cast.tenant_id), **later))
    await configure(client, cast, kind="webhook", url=f"{receiver.url}/new")
    renewed = await state(client, cast)
    assert (renewed["attempts"], renewed["last_error"]) == (0, None)
    await delivering.run()
    assert receiver.positions[0] == 1
    receiver.posts.clear()
    await configure(client, cast, kind="webhook", url=receiver.url, position=1)
    await delivering.run()
    assert receiver.positions[0] == 2


async def test_what_was_under_way_does_not_move_a_delivery_that_was_changed_meanwhile(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    delivering: Delivering,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await configure(client, cast, kind="webhook", url=receiver.url, secret=SECRET)
    await seal(database)
    send = delivering._send

    async def changed_meanwhile(*sent: Any) -> None:
        await send(*sent)
        monkeypatch.undo()
        await configure(client, cast, kind="webhook", url=f"{receiver.url}/new")

    monkeypatch.setattr(delivering, "_send", changed_meanwhile)
    await delivering.run()
    assert (await state(client, cast))["position"] == 0, "the new address has had nothing yet"
    await delivering.run()
    assert [post["entries"][0]["position"] for post in receiver.posts] == [1, 1]


async def keep_until(
    database: Database, cast: Cast, position: int, monkeypatch: pytest.MonkeyPatch, client: httpx.AsyncClient
) -> None:
    """Let a day of retention end right behind the position."""
    answer = await client.put("/audit/retention", json={"days": 1}, headers=cast.admin.headers)
    assert answer.status_code == 200
    await seal(database)
    query = "select t.timestamp from audit_trail t join audit_seal s on s.entry_id = t.id where position = :position"
    ((moment,),) = await by_hand(database, query + " and chain_id = :chain", position=position, chain=cast.tenant_id)
    monkeypatch.setattr("budapp.audit_ops.retention.now", lambda: moment + timedelta(days=1, microseconds=1))


async def test_what_is_removed_in_time_leaves_a_chain_that_verifies(
    client: httpx.AsyncClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(client, cast.manager)
    await keep_until(database, cast, 4, monkeypatch, client)
    before = await verify_chain(database, cast.tenant_id)
    await remove_old(database)
    after = await verify_chain(database, cast.tenant_id)
    assert (after.finding, after.head, after.checked) == (None, before.head, before.checked - 4)
    await seal(database)
    assert (await verify_chain(database, cast.tenant_id, before.head)).finding is None
    removal = (await entries(database))[-1]
    assert removal.details is not None
    assert (removal.details["entries"], removal.details["until"]) == (4, 4)


async def test_a_prefix_removed_without_a_checkpoint_is_found(
    client: httpx.AsyncClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(client, cast.manager)
    await seal(database)
    await by_hand(database, "delete from audit_trail where id in (select entry_id from audit_seal where position < 3)")
    await by_hand(database, "delete from audit_seal where position < 3")
    finding = (await verify_chain(database, cast.tenant_id)).finding
    assert finding is not None
    assert (finding.kind, finding.position) == ("removed", 1)


async def test_a_forged_checkpoint_is_found(
    client: httpx.AsyncClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(client, cast.manager)
    await keep_until(database, cast, 4, monkeypatch, client)
    await remove_old(database)
    await by_hand(database, "update audit_checkpoint set position = 5")
    finding = (await verify_chain(database, cast.tenant_id)).finding
    assert finding is not None
    assert finding.kind == "checkpoint"


async def test_retention_does_not_cover_up_what_was_tampered_with(
    client: httpx.AsyncClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(client, cast.manager)
    await keep_until(database, cast, 4, monkeypatch, client)
    query = "update audit_trail set details = '{}' where id in (select entry_id from audit_seal where position = 2)"
    await by_hand(database, query)
    await remove_old(database)
    finding = (await verify_chain(database, cast.tenant_id)).finding
    assert finding is not None
    assert (finding.kind, finding.position) == ("changed", 2)


async def test_the_door_needs_a_checkpoint(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    await create(client, cast.manager)
    await seal(database)
    with pytest.raises(DBAPIError, match="no checkpoint"):
        async with database.engine.begin() as connection:
            await connection.execute(text("select audit_remove_until(:id, 3)"), {"id": cast.tenant_id})
