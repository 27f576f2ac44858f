"""The stack as an operator runs it: budapp behind its sidecar, and the stand-in notify behind its own."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from dotenv import dotenv_values
from redis.asyncio import Redis

from budapp.commons.config import load_settings
from tests.stack import http_client, valkey_url

Fields = dict[str, Any]


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The running stack's own settings: the ports of its parts, too."""
    values = dotenv_values(os.environ.get("BUDAPP_ENV_FILE", ".env"))
    return {name: value for name, value in values.items() if value is not None}


@pytest.fixture
async def budapp(environment: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    address = f"http://127.0.0.1:{environment['APP_PORT']}"
    async with http_client(address, timeout=20) as client:
        yield client


@pytest.fixture
async def notify(environment: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(f"http://127.0.0.1:{environment['NOTIFY_PORT']}") as client:
        yield client


@asynccontextmanager
async def sidecar(environment: dict[str, str], port: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"dapr-api-token": environment["DAPR_API_TOKEN"]}
    address = f"http://127.0.0.1:{environment[port]}/v1.0"
    async with http_client(address, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
async def peer_sidecar(environment: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """The sidecar of another service, as that service uses it."""
    async with sidecar(environment, "NOTIFY_DAPR_HTTP_PORT") as client:
        yield client


@pytest.fixture
async def budapp_sidecar(environment: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """budapp's own sidecar, as budapp uses it."""
    async with sidecar(environment, "DAPR_HTTP_PORT") as client:
        yield client


async def sign_in(budapp: httpx.AsyncClient, email: str, password: str) -> dict[str, str]:
    answer = await budapp.post("/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']['access_token']}"}


async def administrator(budapp: httpx.AsyncClient) -> dict[str, str]:
    settings = load_settings()
    return await sign_in(budapp, settings.super_user_email, settings.super_user_password.get_secret_value())


async def eventually(look: Callable[[], Any], seconds: float = 90) -> Any:
    """Return what `look` finds, as soon as it finds something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.2)
    pytest.fail(f"nothing was found within {seconds} seconds")


async def test_every_dependency_is_up(budapp: httpx.AsyncClient) -> None:
    answer = await budapp.get("/readyz")
    assert answer.json()["dependencies"] == dict.fromkeys(("postgresql", "valkey", "keycloak", "dapr", "storage"), "up")


async def test_an_invited_colleague_signs_in_with_the_mailed_password_and_sees_just_that_project(
    budapp: httpx.AsyncClient, notify: httpx.AsyncClient
) -> None:
    stamp, admin = time.time_ns(), await administrator(budapp)
    made = [await budapp.post("/projects/", json={"name": f"{n} {stamp}"}, headers=admin) for n in ("Ours", "Theirs")]
    ours = made[0].json()["project"]
    email = f"colleague-{stamp}@example.com"
    users = {"users": [{"email": email, "scopes": ["endpoint:view", "project:view"]}]}
    added = await budapp.post(f"/projects/{ours['id']}/add-users", json=users, headers=admin)
    assert added.status_code == 200, added.text

    async def invitation() -> Fields | None:
        for request in (await notify.get("/control/requests")).json():
            content = request["body"].get("payload", {}).get("content", {})
            if content.get("project", {}).get("name") == ours["name"]:
                return dict(content["user"])
        return None

    first_password = (await eventually(invitation))["password"]
    headers = await sign_in(budapp, email, first_password)
    me = (await budapp.get("/users/me", headers=headers)).json()["user"]
    own = {"password": f"Own-Password-{stamp}a"}
    assert (await budapp.patch(f"/users/{me['id']}", json=own, headers=headers)).status_code == 200
    listed = (await budapp.get("/projects/", headers=headers)).json()
    assert [item["project"]["id"] for item in listed["projects"]] == [ours["id"]]


async def test_a_peer_reaches_budapp_through_dapr(peer_sidecar: httpx.AsyncClient, environment: dict[str, str]) -> None:
    answer = await peer_sidecar.get(f"/invoke/{environment['APP_ID']}/method/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


async def test_events_come_only_through_the_sidecar(budapp: httpx.AsyncClient) -> None:
    assert (await budapp.post("/notifications", json={})).status_code == 403
    assert (await budapp.get("/dapr/subscribe")).status_code == 403


async def events_taken(budapp: httpx.AsyncClient) -> int:
    """Returns how many events budapp has taken."""
    text = (await budapp.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith('http_requests_total{method="POST"')]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if 'route="/notifications",status="200"' in line)


async def test_a_published_event_reaches_budapp_once_though_it_comes_twice(
    budapp: httpx.AsyncClient, peer_sidecar: httpx.AsyncClient, environment: dict[str, str]
) -> None:
    before = await events_taken(budapp)
    event = {
        "notification_type": "event",
        "name": "bud-internal",
        "subscriber_ids": "nobody",
        "payload": {
            "category": "internal",
            "type": "not_known_yet",
            "event": "results",
            "workflow_id": None,
            "source": "budmodel",
            "content": {"title": "Test", "message": "Test", "status": "COMPLETED"},
        },
        "time": f"{time.time_ns()}",
    }
    for _ in range(2):
        published = await peer_sidecar.post(
            f"/publish/{environment['PUBSUB_NAME']}/budAppMessages",
            json=event,
            headers={"Content-Type": "application/cloudevents+json"},
        )
        assert published.status_code == 204, published.text

    async def both_came() -> bool:
        return await events_taken(budapp) >= before + 2

    await eventually(both_came)


async def test_a_peers_work_is_told_to_budapp_step_by_step(
    budapp: httpx.AsyncClient, budapp_sidecar: httpx.AsyncClient, environment: dict[str, str]
) -> None:
    before = await events_taken(budapp)
    whom = {"name": "bud-internal", "subscriber_ids": "nobody", "workflow_id": str(uuid4())}
    scan = {"model_path": "nothing", "notification_metadata": whom, "source_topic": "budAppMessages"}
    answer = await budapp_sidecar.post(f"/invoke/{environment['BUD_MODEL_APP_ID']}/method/model-info/scan", json=scan)
    assert answer.status_code == 200, answer.text

    async def all_came() -> bool:
        return await events_taken(budapp) >= before + 4

    await eventually(all_came, 20)


@pytest.fixture
async def stored_setting() -> AsyncIterator[None]:
    """`APP_WORKERS` in the configuration store, as an operator writes it."""
    store = Redis.from_url(valkey_url(load_settings(), 3))
    await store.set("budapp_APP_WORKERS", "3||1")
    yield
    await store.delete("budapp_APP_WORKERS")
    await store.aclose()


async def test_settings_are_read_from_the_dapr_stores_where_they_are_named(
    stored_setting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().app_workers == 1
    monkeypatch.setenv("SECRETSTORE_NAME", "secretstore-local")
    monkeypatch.setenv("CONFIGSTORE_NAME", "configstore")
    assert load_settings().app_workers == 3
