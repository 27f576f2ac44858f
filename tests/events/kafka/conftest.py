from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from tests.events.kafka.broker import Broker, components, running_broker
from tests.events.kafka.place import Place, running_place, subscription
from tests.events.sidecar import Sidecar, run_sidecar


@pytest.fixture(scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    async with running_broker(tmp_path_factory.mktemp("kafka"), partitions=4) as running:
        yield running


@pytest.fixture(scope="session")
def pubsub(broker: Broker, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The chart's component for Kafka, and what belongs to it."""
    return components(settings, broker.values(), broker.secrets(), tmp_path_factory.mktemp("components"))


@pytest.fixture(scope="session")
async def running_sidecar(
    app: FastAPI, settings: Settings, pubsub: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sidecar]:
    """That of `tests/events`, over Kafka: its peer listens to a topic of each test as well."""
    dead = settings.dead_letter_topic
    heard = {name: subscription(settings, name, name, deadLetterTopic=dead) for name in ("ordered", "refused")}
    resources = {**pubsub, **heard, "dead_letters": subscription(settings, dead, "dead-letters")}
    async with run_sidecar(app, settings, tmp_path_factory.mktemp("daprd"), resources) as sidecar:
        yield sidecar


@pytest.fixture(scope="module")
async def place(
    settings: Settings, migrated: None, pubsub: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """Two replicas."""
    folder: Path = tmp_path_factory.mktemp("place")
    async with running_place(settings, pubsub, 2, folder) as running:
        await running.until_all_take_part()
        yield running
