from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.live_ops.hub import Hub
from budapp.live_ops.publisher import Publisher
from tests.cast import Cast
from tests.events.sidecar import serve


@dataclass
class Live:
    """The application as it is served, with its streams."""

    app: FastAPI
    port: int
    hub: Hub
    publisher: Publisher
    valkey: Redis


@pytest.fixture
async def live(app: FastAPI, database: Database, cast: Cast) -> AsyncIterator[Live]:
    """The application served in this process, with what is committed told at once."""
    components = components_of(app)
    publisher, hub = components[Publisher], components[Hub]
    await publisher.start()
    async with serve(app) as port:
        yield Live(app, port, hub, publisher, components[Redis])
        await hub.stop()
    await publisher.stop()
