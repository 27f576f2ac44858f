"""The Python client, generated for these tests, and the application served to it over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from stack.client import api_client
from stack.python_env import Workshop
from stack.settings import DEV_STATE, cache_folder

from tests.cast import PASSWORD, Cast
from tests.events.sidecar import serve

# Here, not in a fixture: the tests import it.
api_client(Workshop(cache_folder(), DEV_STATE))

from budapp_client import Budapp, Tokens  # noqa: E402
from budapp_client.connection import sign_in  # noqa: E402
from budapp_client.tokens import Memory  # noqa: E402


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """Where the application answers over HTTP."""
    async with serve(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def tokens(address: str, cast: Cast) -> Tokens:
    """A session of the manager's, of this test alone."""
    return await asyncio.to_thread(sign_in, address, cast.manager.email, PASSWORD)


@pytest.fixture
def api(address: str, tokens: Tokens) -> Iterator[Budapp]:
    """The manager's connection."""
    with Budapp.resume(address, Memory(tokens)) as connection:
        yield connection
