"""Models put straight into the database, and budmodel's stand-in."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.model_ops.models import Model
from budapp.provider_ops.models import CloudModel, Provider
from budapp.provider_ops.seeds import ensure_providers
from tests.cast import Cast, Person
from tests.peers.conftest import StandIn, environment, stand_in

__all__ = ["environment", "stand_in"]

MakeModel = Callable[..., Awaitable[Model]]


@pytest.fixture
def make_model(database: Database, cast: Cast) -> MakeModel:
    """Return what puts a model into the repository of a person's tenant; without a person, the admin's."""

    async def make(name: str, owner: Person | None = None, **facts: Any) -> Model:
        owner = owner or cast.admin
        about = {
            "modality": ["text_input", "text_output"],
            "supported_endpoints": ["/v1/chat/completions"],
            "source": "local",
            "provider_type": "disk",
            "uri": f"acme/{name}",
        }
        mine = {"tenant_id": owner.tenant_id, "created_by": owner.id}
        model = Model(id=uuid7(), name=name, **mine, **{**about, **facts})
        async with database.write() as session:
            session.add(model)
        return model

    return make


@pytest.fixture
async def providers(app: FastAPI, database: Database) -> None:
    """What `providers.json` offers."""
    async with database.write() as session:
        await ensure_providers(session, components_of(app))


@pytest.fixture
async def budmodel(stand_in: Callable[[str], StandIn]) -> Any:
    """budmodel's stand-in; what a test has it do wrong is forgotten afterwards."""
    peer = stand_in("budmodel")
    yield peer
    await peer.behave()


async def offer(database: Database, uri: str, **facts: Any) -> UUID:
    """Put a model into the catalog of clouds."""
    async with database.write() as session:
        provider = Provider(id=uuid7(), name=uri, type=uri.partition("/")[0], icon="c", capabilities=["model"])
        about = {"modality": ["text_input", "text_output"], "supported_endpoints": [], "source": provider.type}
        model = CloudModel(
            id=uuid7(), name=uri.rpartition("/")[2], uri=uri, provider_id=provider.id, **{**about, **facts}
        )
        session.add(provider)
        await session.flush()
        session.add(model)
        return model.id


def marks(*names: str, color: str = "#3F8EF7") -> list[dict[str, str]]:
    """Return tags, or tasks."""
    return [{"name": name, "color": color} for name in names]
