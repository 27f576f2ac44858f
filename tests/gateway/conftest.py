from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.endpoint_ops.models import Endpoint
from budapp.gateway_ops.services import GatewayTables
from budapp.gateway_ops.store import GatewayStore
from budapp.gateway_ops.worker import GatewayWorker
from budapp.integrations.valkey import connect_valkey
from budapp.model_ops.models import Model
from budapp.provider_credential_ops.services import ProviderCredentials
from tests.cast import Cast, Person
from tests.gateway.reader import read_any
from tests.projects.data import add, endpoint_row
from tests.stack import in_valkey_database, number_of

Deploy = Callable[..., Awaitable[Endpoint]]


@pytest.fixture
def own_settings(settings: Settings, worker_id: str) -> Settings:
    """The settings with a database of Valkey that is this worker's alone, so that it can be emptied."""
    return in_valkey_database(settings, 32 + number_of(worker_id))


@pytest.fixture
async def valkey(own_settings: Settings) -> AsyncIterator[Redis]:
    own = connect_valkey(own_settings)
    await own.flushdb()
    yield own
    await own.flushdb()
    await own.aclose()


@pytest.fixture
def tables(app: FastAPI, valkey: Redis, database: Database, settings: Settings) -> GatewayTables:
    return GatewayTables(database, GatewayStore(valkey), settings, components_of(app)[ProviderCredentials])


@pytest.fixture
async def worker(tables: GatewayTables) -> AsyncIterator[GatewayWorker]:
    """The worker, running."""
    made = GatewayWorker(tables)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def deploy(database: Database, cast: Cast) -> Deploy:
    """Puts a deployment in, with a model of its own."""

    async def put_in(project_id: str, person: Person | None = None, **fields: Any) -> Endpoint:
        owner = person or cast.manager
        about = {name: fields.pop(name) for name in ("source", "provider_type") if name in fields}
        model = Model(
            id=uuid7(),
            tenant_id=owner.tenant_id,
            created_by=owner.id,
            name=f"model-{uuid7()}",
            modality=["text_input"],
            uri=f"u/{uuid7()}",
            supported_endpoints=["/v1/chat/completions"],
            **{"source": "local", "provider_type": "hugging_face", **about},
        )
        values = {
            "id": uuid7(),
            "name": "chat",
            "model_id": model.id,
            "url": "http://10.0.0.7:8000/",
            "namespace": "bud-chat",
            "supported_endpoints": ["/v1/chat/completions", "/v1/rerank"],
            **fields,
        }
        endpoint = endpoint_row(project_id, owner, **values)
        await add(database, model, endpoint)
        return endpoint

    return put_in


async def all_entries(valkey: Redis) -> dict[str, Any]:
    """Return every entry that follows from rows alone; each entry of all tables is one that the gateway accepts."""
    names = [name async for name in valkey.scan_iter() if not name.startswith("budapp:")]
    found = {name: await valkey.get(name) for name in names}
    for name, text in found.items():
        read_any(name, text)
    return {name: text for name, text in found.items() if not name.startswith("usage_limit:")}
