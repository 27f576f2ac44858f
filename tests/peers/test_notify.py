"""notify's stand-in, as the browser's notification centre uses it."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from socketio.exceptions import ConnectionError as SocketError

from budapp.integrations.dapr import DaprClient, Peer
from tests.peers.conftest import Caller, Topic
from tests.peers.notification_centre import NotificationCentre
from tests.peers.test_budmodel import extract
from tests.stack import http_client

SECONDS = 10


@pytest.fixture
def address(environment: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environment['NOTIFY_PORT']}"


@pytest.fixture
async def browser(address: str, caller: Caller) -> AsyncIterator[NotificationCentre]:
    window = await NotificationCentre(address, caller.user_id).open()
    yield window
    await window.close()


async def send(dapr: DaprClient, user_id: str, **changes: Any) -> None:
    content = {"title": "A project", "message": "Project Invite", "status": "COMPLETED"}
    payload = {"category": "inapp", "type": "project_invitation_success", "source": "budAppMessages"}
    body = {
        "notification_type": "event",
        "name": "bud-notification",
        "subscriber_ids": [user_id],
        "payload": {**payload, "content": content},
        "time": "2026-01-01T00:00:00Z",
        **changes,
    }
    await dapr.invoke(Peer.BUDNOTIFY, "POST", "notifications", body)


async def test_the_browser_sees_a_peers_work_go_on(
    dapr: DaprClient, browser: NotificationCentre, caller: Caller, topic: Topic
) -> None:
    await extract(dapr, caller)
    seen = set()
    while ("results", "COMPLETED") not in seen:
        payload = (await browser.hears("notification_received"))["message"]["payload"]
        assert payload["workflow_id"] == caller.workflow_id
        assert (payload["category"], payload["type"]) == ("internal", "perform_model_extraction")
        seen.add((payload["event"], payload["content"]["status"]))
    assert ("model_download", "COMPLETED") in seen


async def test_a_message_to_a_user_shows_at_once_and_stays_in_the_feed(
    dapr: DaprClient, browser: NotificationCentre, caller: Caller
) -> None:
    await send(dapr, str(uuid4()))
    await send(dapr, caller.user_id)
    heard = await browser.hears("notification_received")
    assert heard["message"]["payload"]["content"]["title"] == "A project"
    assert (await browser.hears("unseen_count_changed"))["unseenCount"] == 1
    assert (await browser.hears("unread_count_changed"))["unreadCount"] == 1
    wanted = base64.b64encode(json.dumps({"category": "inapp"}).encode()).decode()
    feed = await browser.get("/notifications/feed", page=0, payload=wanted, read="false", limit=100)
    assert [item["payload"]["type"] for item in feed["data"]] == ["project_invitation_success"]
    assert (feed["hasMore"], feed["page"]) == (False, 0)
    assert feed["data"][0]["createdAt"]
    other = base64.b64encode(json.dumps({"category": "internal"}).encode()).decode()
    assert (await browser.get("/notifications/feed", payload=other))["data"] == []


async def test_what_was_read_is_read_in_every_window(
    dapr: DaprClient, browser: NotificationCentre, caller: Caller
) -> None:
    for _ in range(3):
        await send(dapr, caller.user_id)
    ids = [item["_id"] for item in (await browser.get("/notifications/feed"))["data"]]
    second = await NotificationCentre(browser.address, browser.user_id).open()
    await browser.http.post("/messages/markAs", json={"messageId": ids[0], "mark": {"seen": True}})
    assert (await second.hears("unseen_count_changed"))["unseenCount"] == 2
    await browser.http.post("/messages/mark-as", json={"messageId": ids[:1], "markAs": "read"})
    assert (await second.get("/notifications/unread", limit=100))["data"] == {"count": 2}
    await browser.http.post("/messages/read", json={"feedId": "inapp"})
    assert (await second.get("/notifications/unread", limit=100))["data"] == {"count": 0}
    assert (await second.get("/notifications/unseen", limit=100))["data"] == {"count": 0}
    assert (await second.get("/notifications/feed", read="false"))["data"] == []
    await browser.http.delete(f"/messages/{ids[0]}")
    assert len((await second.get("/notifications/feed"))["data"]) == 2
    await second.close()


async def test_the_feed_comes_in_pages(dapr: DaprClient, browser: NotificationCentre, caller: Caller) -> None:
    for number in range(3):
        await send(
            dapr, caller.user_id, payload={"category": "inapp", "source": "test", "content": {"tag": f"{number}"}}
        )
    first, second = [await browser.get("/notifications/feed", page=page, limit=2) for page in (0, 1)]
    assert [item["payload"]["content"]["tag"] for item in first["data"]] == ["2", "1"]
    assert [item["payload"]["content"]["tag"] for item in second["data"]] == ["0"]
    assert (first["hasMore"], second["hasMore"]) == (True, False)


async def test_nobody_reads_without_the_token_of_a_session(browser: NotificationCentre) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": f"Bearer {browser.token}x"}):
        assert (await browser.http.get("/notifications/feed", headers=headers)).status_code == 401
    stranger = NotificationCentre(browser.address, browser.user_id)
    with pytest.raises(SocketError):
        await stranger.connect("no-token")
    await stranger.close()


async def test_mails_are_for_the_page_only(
    dapr: DaprClient, browser: NotificationCentre, caller: Caller, address: str
) -> None:
    link = f"https://example.com/reset?token={uuid4()}"
    content = {"reset_url": link, "user_name": "A User"}
    mail = {"category": "internal", "source": "budAppMessages", "content": content}
    await send(dapr, caller.user_id, name="bud-reset-password", payload=mail)
    assert (await browser.get("/notifications/feed"))["data"] == []
    async with http_client() as http:
        assert f'href="{link}"' in (await http.get(address)).text


async def test_the_widget_finds_all_that_it_asks_for(browser: NotificationCentre) -> None:
    assert (await browser.get("/organization"))["data"]["name"]
    assert (await browser.get("/preferences"))["data"][0]["preference"]["enabled"] is True
    assert (await browser.get("/preferences/global"))["data"][0]["preference"]["channels"]["in_app"] is True
    assert (await browser.get("/notifications/count", seen="false"))["data"] == {"count": 0}
    change = {"channel": {"type": "in_app", "enabled": False}}
    assert (await browser.http.patch("/preferences/bud-notification", json=change)).status_code == 200
    assert (await browser.get("/preferences"))["data"][0]["preference"]["channels"]["in_app"] is False
    assert (await browser.http.post("/usage/log", json={"name": "x", "payload": {}})).status_code == 200


async def test_a_browser_on_another_origin_may_ask(address: str) -> None:
    asking = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    asking["Access-Control-Request-Headers"] = "authorization,content-type"
    async with http_client() as http:
        answer = await http.options(f"{address}/v1/widgets/notifications/feed", headers=asking)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
