from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.events.dispatch import EventHandlers
from tests.events.sidecar import Sidecar, run_sidecar


@pytest.fixture(scope="session")
async def running_sidecar(
    app: FastAPI, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sidecar]:
    async with run_sidecar(app, settings, tmp_path_factory.mktemp("daprd")) as sidecar:
        yield sidecar


@pytest.fixture
def sidecar(running_sidecar: Sidecar) -> Sidecar:
    """A real sidecar, whose peer has forgotten what earlier tests told it."""
    running_sidecar.peer.forget()
    return running_sidecar


@pytest.fixture
def handlers(app: FastAPI) -> Iterator[EventHandlers]:
    """The application's event handlers: none but the test's."""
    before = components_of(app)[EventHandlers]
    components_of(app).override(EventHandlers, EventHandlers())
    yield components_of(app)[EventHandlers]
    components_of(app).override(EventHandlers, before)
