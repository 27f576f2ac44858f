"""What other services read of this one in the state store."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from budapp.commons.config import Settings
from budapp.integrations.dapr import DaprClient
from budapp.integrations.registration import Registration
from tests.events.sidecar import free_port
from tests.stack import http_client


@pytest.fixture
def ours(settings: Settings) -> Settings:
    return settings.model_copy(update={"app_id": f"budapp-{uuid4()}"})


@pytest.fixture
async def dapr(ours: Settings) -> AsyncIterator[DaprClient]:
    dapr = DaprClient(ours)
    yield dapr
    await dapr.delete_state(f"__metadata__{ours.app_id}")
    await dapr.close()


async def read_as_a_peer(settings: Settings) -> Any:
    """Read the entry as services in other languages do."""
    assert settings.dapr_api_token is not None
    headers = {"dapr-api-token": settings.dapr_api_token.get_secret_value()}
    url = f"{settings.dapr_base_url}/v1.0/state/{settings.statestore_name}/__metadata__{settings.app_id}"
    async with http_client(headers=headers) as http:
        answer = await http.get(url)
    return answer.json() if answer.content else None


async def test_peers_read_how_this_service_is_reached(ours: Settings, dapr: DaprClient) -> None:
    await Registration(ours, dapr).register()

    assert await read_as_a_peer(ours) == {
        "app_name": ours.app_id,
        "configstore": "",
        "secretstore": "",
        "statestore": ours.statestore_name,
        "pubsub": ours.pubsub_name,
        "topic": ours.app_topic,
        "deadletter": ours.dead_letter_topic,
    }


async def test_it_is_written_anew_where_the_store_was_lost_and_where_it_has_changed(
    ours: Settings, dapr: DaprClient
) -> None:
    registration = Registration(ours, dapr)
    await registration.register()
    await dapr.delete_state(registration.key)
    await registration.register()
    assert (await read_as_a_peer(ours))["topic"] == ours.app_topic

    changed = Registration(ours.model_copy(update={"app_topic": "another"}), dapr)
    await changed.register()
    assert (await read_as_a_peer(ours))["topic"] == "another"


async def test_what_is_right_already_is_left_alone(ours: Settings, dapr: DaprClient) -> None:
    registration = Registration(ours, dapr)
    await asyncio.gather(*(registration.register() for _ in range(5)))
    before = await dapr.get_state(registration.key)

    await registration.register()

    assert await dapr.get_state(registration.key) == before


async def test_without_a_sidecar_it_waits_for_the_next_time(ours: Settings) -> None:
    nowhere = DaprClient(ours.model_copy(update={"dapr_base_url": f"http://127.0.0.1:{free_port()}"}))
    await Registration(ours, nowhere).register()
    await nowhere.close()
