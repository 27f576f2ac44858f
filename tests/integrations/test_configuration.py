"""Settings from the stack's configuration store (Valkey), at the start and while the service runs.

Each test has a setting of its own: the store is one for all.
"""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from budapp.commons.config import Settings, load_settings
from budapp.commons.domain import components_of
from budapp.commons.live_settings import live_names
from budapp.commons.logging import get_logger
from budapp.integrations.configuration import ConfigurationFollower
from budapp.integrations.dapr import DaprClient
from budapp.main import create_app
from tests.events.sidecar import free_port
from tests.logs import Logged
from tests.stack import valkey_url

STORE = "configstore"
SETTINGS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"


class Store:
    """The store, as an operator fills it."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._keys: set[str] = set()

    async def set(self, key: str, value: str) -> None:
        self._keys.add(key)
        await self._valkey.set(key, value)

    async def remove(self, key: str) -> None:
        await self._valkey.delete(key)

    async def clear(self) -> None:
        for key in self._keys:
            await self.remove(key)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    valkey = Redis.from_url(valkey_url(settings, 3))
    store = Store(valkey)
    yield store
    await store.clear()
    await valkey.aclose()


@pytest.fixture
async def dapr(settings: Settings) -> AsyncIterator[DaprClient]:
    dapr = DaprClient(settings)
    yield dapr
    await dapr.close()


def following(settings: Settings, *names: str) -> Settings:
    """Return settings that follow the store, with some that nothing else sets."""
    ours = settings.model_copy(update={"configstore_name": STORE})
    ours.model_fields_set.difference_update(names)
    return ours


async def test_a_change_is_taken_over_a_bad_one_refused_and_a_removed_one_is_the_default_again(
    settings: Settings, dapr: DaprClient, store: Store, logged: Logged
) -> None:
    ours = following(settings)
    follower = ConfigurationFollower(ours, dapr)

    await store.set("BUDAPP_WORKFLOW_DRAFT_DAYS", "3")
    await follower.read()
    assert ours.workflow_draft_days == 3

    await store.set("BUDAPP_WORKFLOW_DRAFT_DAYS", "-1")
    await follower.read()
    await follower.read()
    assert ours.workflow_draft_days == 3
    refusals = [line for line in logged.lines if "setting_refused" in line]
    assert len(refusals) == 1
    assert "WORKFLOW_DRAFT_DAYS" in refusals[0]

    await store.remove("BUDAPP_WORKFLOW_DRAFT_DAYS")
    await follower.read()
    assert ours.workflow_draft_days == 14


async def test_what_the_environment_sets_and_what_needs_a_restart_stays(
    settings: Settings, dapr: DaprClient, store: Store
) -> None:
    ours = following(settings.model_copy(update={"workflow_silence_minutes": 7}))
    await store.set("workflow_silence_minutes", "9")
    await store.set("budapp_presigned_url_seconds", "61")

    await ConfigurationFollower(ours, dapr).read()

    assert (ours.workflow_silence_minutes, ours.presigned_url_seconds) == (7, settings.presigned_url_seconds)


@pytest.mark.usefixtures("database")
async def test_a_new_limit_counts_from_the_next_request_on(settings: Settings, store: Store) -> None:
    app = create_app(following(settings, "rate_limit_reset"))
    address = ".".join(str(random.randrange(1, 255)) for _ in range(4))
    transport = httpx.ASGITransport(app, client=(address, 1))
    body = {"email": "nobody@example.com"}
    await store.set("rate_limit_reset", "1/hour")
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as client:
        await components_of(app)[ConfigurationFollower].read()
        answers = [
            await client.post("/users/reset-password", json=body | {"email": f"{address}@example.com"})
            for _ in range(2)
        ]
    await components_of(app).close()
    assert [answer.status_code for answer in answers] == [200, 429], answers[0].text


async def test_the_log_level_changes_at_once(
    settings: Settings, dapr: DaprClient, store: Store, logged: Logged
) -> None:
    ours = following(settings, "log_level")
    await store.set("LOG_LEVEL", "error")
    await ConfigurationFollower(ours, dapr).read()
    logger = get_logger(__name__)
    logger.warning("unwanted")
    logger.error("wanted")
    assert [line["event"] for line in logged.of("unwanted", "wanted")] == ["wanted"]


async def test_where_the_store_is_down_everything_stays(settings: Settings) -> None:
    ours = following(settings)
    ours.workflow_deadline_minutes = 77
    dapr = DaprClient(ours.model_copy(update={"dapr_base_url": f"http://127.0.0.1:{free_port()}"}))
    await ConfigurationFollower(ours, dapr).read()
    await dapr.close()
    assert ours.workflow_deadline_minutes == 77


async def test_the_stores_are_read_at_the_start(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIGSTORE_NAME", STORE)
    monkeypatch.setenv("SECRETSTORE_NAME", "secretstore-local")
    await store.set("BudApp_Login_Failure_Seconds", "0.25")

    found = load_settings()

    assert found.login_failure_seconds == 0.25
    assert "login_failure_seconds" in found.from_stores
    assert "psql_host" not in found.from_stores


def test_the_documentation_names_what_can_change_while_the_service_runs() -> None:
    lines = SETTINGS.read_text().splitlines()
    marked = {line.split("`")[1].lower() for line in lines if line.endswith("*Live.* |")}
    assert marked == set(live_names())
