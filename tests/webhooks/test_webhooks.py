"""What happens, posted to an address: signed, again until it is taken, and never where it must not go."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from uuid_utils.compat import uuid7

from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.events.notify import notify_users
from budapp.integrations.outgoing import Outgoing
from budapp.live_ops.publisher import Publisher
from budapp.webhook_ops.models import Webhook, WebhookDelivery
from budapp.webhook_ops.sender import DISABLED_AFTER, PAUSES, Sender
from budapp.webhook_ops.services import KEEP, purge_deliveries
from tests.cast import Cast, Person
from tests.projects.data import add, cluster_row, create, endpoint_row, join


@dataclass
class Receiver:
    """A customer's address; answers each post with the next of the statuses, the last one for good."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = (line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        headers = {name.lower(): value for name, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        self.posts.append((headers, body))
        if self.silent:
            await asyncio.sleep(3600)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.posts]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield found


@pytest.fixture
def outgoing(app: FastAPI) -> Iterator[Outgoing]:
    """The way out of an installation that lets webhooks be private."""
    components = components_of(app)
    usual, lenient = components[Outgoing], Outgoing(["127.0.0.0/8"])
    components.override(Outgoing, lenient)
    yield lenient
    components.override(Outgoing, usual)


@pytest.fixture
def sender(database: Database, outgoing: Outgoing) -> Sender:
    return Sender(database, outgoing)


@pytest.fixture
def publisher(app: FastAPI) -> Publisher:
    return components_of(app)[Publisher]


async def make(client: httpx.AsyncClient, person: Person, url: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/webhooks", json={"name": "ops", "url": url, **fields}, headers=person.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return {**found["webhook"], "secret": found["secret"]}


async def deliveries(client: httpx.AsyncClient, person: Person, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get(f"/webhooks/{webhook['id']}/deliveries", headers=person.headers)
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


async def look(client: httpx.AsyncClient, person: Person, webhook: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/webhooks/{webhook['id']}", headers=person.headers)).json()["webhook"]
    return found


async def wait_no_longer(database: Database) -> None:
    """Have what waits for its next attempt be due."""
    async with database.write() as session:
        await session.execute(update(WebhookDelivery).values(next_attempt_at=now()))


async def test_what_happens_is_posted_and_signed(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    publisher: Publisher,
    sender: Sender,
    receiver: Receiver,
) -> None:
    webhook = await make(client, cast.admin, receiver.url, event_types=["cluster"])
    cluster = cluster_row(cast.manager, "c1")
    await add(database, cluster, endpoint_row((await create(client, cast.manager))["id"], cast.manager))
    await publisher.look()
    assert await sender.drain() == 1
    assert await sender.drain() == 0

    ((headers, body),) = receiver.posts
    assert Verifier(webhook["secret"]).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook["secret"]).verify(body + b" ", headers)
    told = json.loads(body)
    assert told.pop("timestamp")
    assert told == {
        "type": "cluster.status",
        "object": {"type": "cluster", "id": str(cluster.id)},
        "data": {"name": "c1", "status": "available", "reason": None},
    }
    (delivery,) = await deliveries(client, cast.admin, webhook)
    assert (delivery["state"], delivery["attempts"], delivery["answered"]) == ("delivered", 1, 200)


async def test_another_tenants_events_go_nowhere_else(
    client: httpx.AsyncClient, cast: Cast, database: Database, publisher: Publisher, sender: Sender, receiver: Receiver
) -> None:
    await make(client, cast.admin, receiver.url)
    await add(database, cluster_row(cast.other_admin, "theirs"))
    await publisher.look()
    assert await sender.drain() == 0


async def test_a_projects_webhook_is_told_of_the_project_only(
    client: httpx.AsyncClient, cast: Cast, database: Database, publisher: Publisher, sender: Sender, receiver: Receiver
) -> None:
    project, other = [(await create(client, cast.manager, name=name))["id"] for name in ("one", "two")]
    await make(client, cast.manager, receiver.url, project_id=project)
    await add(
        database,
        endpoint_row(project, cast.manager, name="here"),
        endpoint_row(other, cast.manager, name="there"),
        cluster_row(cast.manager, "c"),
    )
    await publisher.look()
    await sender.drain()
    assert [body["data"]["name"] for body in receiver.bodies] == ["here"]


async def test_who_may_not_manage_finds_and_makes_none(
    client: httpx.AsyncClient, cast: Cast, database: Database, outgoing: Outgoing, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    project = (await create(client, cast.manager))["id"]
    of_project = await make(client, cast.manager, receiver.url, project_id=project)
    for person in (cast.developer, cast.tester, cast.client, cast.other_admin):
        for each in (webhook, of_project):
            answer = await client.get(f"/webhooks/{each['id']}", headers=person.headers)
            assert answer.status_code == 404
        assert (await client.get("/webhooks", headers=person.headers)).json()["webhooks"] == []
    body = {"name": "mine", "url": receiver.url}
    assert (await client.post("/webhooks", json=body, headers=cast.developer.headers)).status_code == 403
    answer = await client.post("/webhooks", json={**body, "project_id": project}, headers=cast.other_admin.headers)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "url", ["http://1.1.1.1/", "https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "ftp://x"]
)
async def test_an_address_inside_our_walls_is_refused(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, outgoing: Outgoing, url: str
) -> None:
    components_of(app).override(Outgoing, Outgoing())
    answer = await client.post("/webhooks", json={"name": "in", "url": url}, headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (422, "url")


async def test_an_address_that_has_moved_inside_is_not_connected_to(
    client: httpx.AsyncClient, cast: Cast, database: Database, outgoing: Outgoing, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    await client.post(f"/webhooks/{webhook['id']}/test", headers=cast.admin.headers)
    assert await Sender(database, Outgoing()).drain() == 1
    assert receiver.posts == []
    (delivery,) = await deliveries(client, cast.admin, webhook)
    assert delivery["state"] == "pending"
    assert "https" in delivery["last_error"]


async def test_it_is_posted_again_until_it_is_taken(
    client: httpx.AsyncClient, cast: Cast, database: Database, sender: Sender, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    receiver.statuses = [500, 302, 204]
    await client.post(f"/webhooks/{webhook['id']}/test", headers=cast.admin.headers)
    assert await sender.drain() == 1
    assert await sender.drain() == 0
    assert (await look(client, cast.admin, webhook))["failing_since"]
    await wait_no_longer(database)
    assert await sender.drain() == 1
    (delivery,) = await deliveries(client, cast.admin, webhook)
    assert (delivery["state"], delivery["answered"], delivery["attempts"]) == ("pending", 302, 2)
    await wait_no_longer(database)
    assert await sender.drain() == 1
    assert (await deliveries(client, cast.admin, webhook))[0]["state"] == "delivered"
    assert len(set(receiver.ids)) == 1
    assert (await look(client, cast.admin, webhook))["failing_since"] is None


def test_the_attempts_go_on_for_a_day() -> None:
    assert timedelta(days=1) <= sum(PAUSES, timedelta()) <= timedelta(days=2)
    assert list(PAUSES) == sorted(PAUSES)


async def test_what_takes_nothing_for_a_day_is_turned_off_and_goes_on_later(
    client: httpx.AsyncClient, cast: Cast, database: Database, sender: Sender, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    receiver.statuses = [503]
    path = f"/webhooks/{webhook['id']}"
    await client.post(f"{path}/test", headers=cast.admin.headers)
    for _ in PAUSES:
        await sender.drain()
        await wait_no_longer(database)
    assert (await look(client, cast.admin, webhook))["is_active"]
    async with database.write() as session:
        (await session.get_one(Webhook, UUID(webhook["id"]))).failing_since = now() - DISABLED_AFTER
    await client.post(f"{path}/test", headers=cast.admin.headers)
    await sender.drain()

    found = await look(client, cast.admin, webhook)
    assert (found["is_active"], found["disabled_reason"]) == (False, "The webhook answered 503")
    assert len(receiver.posts) == len(PAUSES) + 1
    told = (await client.get("/notifications", headers=cast.admin.headers)).json()["notifications"]
    assert [each["type"] for each in told] == ["webhook_disabled"]
    await wait_no_longer(database)
    assert await sender.drain() == 0
    assert (await client.post(f"{path}/test", headers=cast.admin.headers)).status_code == 400

    receiver.statuses = [200]
    await client.patch(path, json={"is_active": True}, headers=cast.admin.headers)
    assert await sender.drain() == 1
    assert (await client.post(f"{path}/replay", headers=cast.admin.headers)).json()["replayed"] == 1
    assert await sender.drain() == 1
    assert {each["state"] for each in await deliveries(client, cast.admin, webhook)} == {"delivered"}


async def test_an_address_that_is_gone_is_turned_off_at_once(
    client: httpx.AsyncClient, cast: Cast, database: Database, sender: Sender, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    receiver.statuses = [410]
    await client.post(f"/webhooks/{webhook['id']}/test", headers=cast.admin.headers)
    await sender.drain()
    assert not (await look(client, cast.admin, webhook))["is_active"]


async def test_a_delivery_is_replayed_with_the_same_id(
    client: httpx.AsyncClient, cast: Cast, sender: Sender, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    await client.post(f"/webhooks/{webhook['id']}/test", headers=cast.admin.headers)
    await sender.drain()
    (delivery,) = await deliveries(client, cast.admin, webhook)
    path = f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/replay"
    assert (await client.post(path, headers=cast.other_admin.headers)).status_code == 404
    assert (await client.post(path, headers=cast.admin.headers)).json()["replayed"] == 1
    await sender.drain()
    assert receiver.ids == [f"msg_{delivery['event_id']}"] * 2


async def test_both_secrets_sign_for_a_day_after_rotation(
    client: httpx.AsyncClient, cast: Cast, database: Database, sender: Sender, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    path = f"/webhooks/{webhook['id']}"
    fresh = (await client.post(f"{path}/rotate-secret", headers=cast.admin.headers)).json()["secret"]
    assert fresh != webhook["secret"]
    await client.post(f"{path}/test", headers=cast.admin.headers)
    await sender.drain()
    for secret in (fresh, webhook["secret"]):
        Verifier(secret).verify(receiver.posts[0][1], receiver.posts[0][0])
    async with database.write() as session:
        (await session.get_one(Webhook, UUID(webhook["id"]))).old_secret_until = now()
    await client.post(f"{path}/test", headers=cast.admin.headers)
    await sender.drain()
    Verifier(fresh).verify(receiver.posts[1][1], receiver.posts[1][0])
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook["secret"]).verify(receiver.posts[1][1], receiver.posts[1][0])


async def test_secrets_are_shown_once_and_lie_sealed(
    client: httpx.AsyncClient, cast: Cast, database: Database, outgoing: Outgoing, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    shown = await client.get(f"/webhooks/{webhook['id']}", headers=cast.admin.headers)
    assert webhook["secret"] not in shown.text
    async with database.read() as session:
        row = (await session.scalars(select(Webhook))).one()
    assert webhook["secret"] not in row.secret_encrypted


async def test_a_webhook_that_does_not_answer_holds_up_no_other(
    client: httpx.AsyncClient, cast: Cast, database: Database, outgoing: Outgoing, sender: Sender, receiver: Receiver
) -> None:
    slow = Receiver(silent=True)
    server = await asyncio.start_server(slow.serve, "127.0.0.1", 0)
    slow.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    stuck, quick = await make(client, cast.admin, slow.url), await make(client, cast.admin, receiver.url)
    for _ in range(5):
        await client.post(f"/webhooks/{stuck['id']}/test", headers=cast.admin.headers)
    await client.post(f"/webhooks/{quick['id']}/test", headers=cast.admin.headers)
    await sender.start()
    async with asyncio.timeout(8):
        while not receiver.posts:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await sender.stop()
    server.close()
    assert 1 <= len(slow.posts) <= 3


async def test_old_deliveries_are_deleted(
    client: httpx.AsyncClient, cast: Cast, database: Database, outgoing: Outgoing, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    about = {"tenant_id": cast.tenant_id, "webhook_id": UUID(webhook["id"]), "event_type": "t", "body": "{}"}
    await add(
        database,
        WebhookDelivery(event_id=uuid7(), created_at=now() - KEEP - timedelta(minutes=1), **about),
        WebhookDelivery(event_id=uuid7(), created_at=now() - KEEP + timedelta(minutes=1), **about),
    )
    await purge_deliveries(database)
    assert len(await deliveries(client, cast.admin, webhook)) == 1


@pytest.mark.parametrize("change", [{}, {"name": ""}, {"event_types": ["Endpoint"]}, {"url": "x"}])
async def test_changes_that_make_no_sense_are_refused(
    client: httpx.AsyncClient, cast: Cast, outgoing: Outgoing, receiver: Receiver, change: dict[str, Any]
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    answer = await client.patch(f"/webhooks/{webhook['id']}", json=change, headers=cast.admin.headers)
    assert answer.status_code == 422


async def test_a_deleted_webhook_is_gone(
    client: httpx.AsyncClient, cast: Cast, outgoing: Outgoing, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    assert (await client.delete(f"/webhooks/{webhook['id']}", headers=cast.admin.headers)).status_code == 200
    assert (await client.get(f"/webhooks/{webhook['id']}", headers=cast.admin.headers)).status_code == 404


async def test_an_address_inside_our_walls_is_refused_at_a_change_too(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, outgoing: Outgoing, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    components_of(app).override(Outgoing, Outgoing())
    body = {"url": "https://169.254.169.254/"}
    answer = await client.patch(f"/webhooks/{webhook['id']}", json=body, headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (422, "url")
    assert (await look(client, cast.admin, webhook))["url"] == receiver.url


async def test_a_tenant_turns_on_only_so_many(
    client: httpx.AsyncClient, cast: Cast, outgoing: Outgoing, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budapp.webhook_ops.services.MOST_OF_TENANT", 2)
    first, _ = [await make(client, cast.admin, receiver.url) for _ in range(2)]
    body = {"name": "third", "url": receiver.url}
    assert (await client.post("/webhooks", json=body, headers=cast.admin.headers)).status_code == 422
    await make(client, cast.other_admin, receiver.url)

    async def turn(on: bool) -> httpx.Response:
        path = f"/webhooks/{first['id']}"
        return await client.patch(path, json={"is_active": on}, headers=cast.admin.headers)

    assert [(await turn(on)).status_code for on in (True, False)] == [200, 200]
    await make(client, cast.admin, receiver.url)
    refused = await turn(True)
    assert (refused.status_code, refused.json()["param"]) == (422, "is_active")


async def test_no_more_are_turned_on_at_the_same_moment_than_a_tenant_may_have(
    client: httpx.AsyncClient, cast: Cast, outgoing: Outgoing, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budapp.webhook_ops.services.MOST_OF_TENANT", 2)
    body = {"name": "one of many", "url": receiver.url}
    asked = (client.post("/webhooks", json=body, headers=cast.admin.headers) for _ in range(6))
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*asked))
    assert statuses == [200, 200, 422, 422, 422, 422]


async def test_what_concerns_one_person_alone_is_posted_to_nobody(
    client: httpx.AsyncClient, cast: Cast, database: Database, publisher: Publisher, sender: Sender, receiver: Receiver
) -> None:
    await make(client, cast.admin, receiver.url)
    project = (await create(client, cast.manager))["id"]
    await join(database, project, cast.developer)
    async with database.write() as session:
        await notify_users(
            session, aggregate="test", subscriber_ids=[cast.developer.id], type="t", title="For you", message="m"
        )
    await publisher.look()
    await sender.drain()
    assert {body["object"]["type"] for body in receiver.bodies}.isdisjoint({"user", "notification"})


@pytest.mark.parametrize("change", ["url", "is_active"])
async def test_a_webhook_that_was_mended_is_not_turned_off_for_what_was_before(
    client: httpx.AsyncClient, cast: Cast, database: Database, sender: Sender, receiver: Receiver, change: str
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    async with database.write() as session:
        (await session.get_one(Webhook, UUID(webhook["id"]))).failing_since = now() - DISABLED_AFTER
    body = {"url": receiver.url} if change == "url" else {"is_active": True}
    await client.patch(f"/webhooks/{webhook['id']}", json=body, headers=cast.admin.headers)
    assert (await look(client, cast.admin, webhook))["failing_since"] is None


async def test_what_is_replayed_has_all_its_attempts_again(
    client: httpx.AsyncClient, cast: Cast, database: Database, sender: Sender, receiver: Receiver
) -> None:
    webhook = await make(client, cast.admin, receiver.url)
    path = f"/webhooks/{webhook['id']}"
    await client.post(f"{path}/test", headers=cast.admin.headers)
    (delivery,) = await deliveries(client, cast.admin, webhook)
    for url in (f"{path}/deliveries/{delivery['id']}/replay", f"{path}/replay"):
        async with database.write() as session:
            await session.execute(update(WebhookDelivery).values(state="failed", attempts=len(PAUSES) + 1))
        assert (await client.post(url, headers=cast.admin.headers)).json()["replayed"] == 1
        (delivery,) = await deliveries(client, cast.admin, webhook)
        assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
