"""Where the keys that check tokens come from, and what happens while they can't be fetched."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.main import create_app
from tests.cast import PASSWORD, Cast
from tests.commons.test_stores_down import assert_unavailable
from tests.system.faults.proxy import Proxy

Cold = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def cold(settings: Settings) -> Cold:
    """A replica that knows no keys and no callers yet."""

    @asynccontextmanager
    async def started(**changes: object) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(settings.model_copy(update=changes))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test", timeout=60) as client:
            yield client
        await components_of(app).close()

    return started


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[Proxy]:
    parts = urlsplit(settings.keycloak_server_url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with Proxy(parts.hostname, parts.port).running() as running:
        yield running


async def test_while_keycloak_hangs_nobody_waits_for_anybody_elses_try(cold: Cold, cast: Cast, proxy: Proxy) -> None:
    people = [cast.admin, cast.manager, cast.developer, cast.tester, cast.client]
    async with cold(
        keycloak_server_url=f"http://127.0.0.1:{proxy.port}",
        keycloak_public_url=cast_server(cast),
    ) as client:
        async with proxy.failing("hang"):
            started = time.monotonic()
            for answer in await asyncio.gather(*(client.get("/users/me", headers=one.headers) for one in people)):
                assert_unavailable(answer)
            assert_unavailable(await client.get("/users/me", headers=cast.admin.headers))
            assert time.monotonic() - started < 3 * 2
        async with asyncio.timeout(20):
            while (await client.get("/users/me", headers=cast.admin.headers)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


def cast_server(cast: Cast) -> str:
    """Return the address that Keycloak writes into tokens."""
    claims = jwt.decode(cast.admin.tokens["access_token"], options={"verify_signature": False})
    return str(claims["iss"]).partition("/realms/")[0]


async def test_a_strangers_key_id_does_not_hold_up_a_new_key(cold: Cold, cast: Cast, app: FastAPI) -> None:
    async with cold() as client:
        assert (await client.get("/users/me", headers=cast.admin.headers)).status_code == 200
        await add_key(app)
        login = {"email": cast.developer.email, "password": PASSWORD}
        tokens = (await client.post("/auth/login", json=login)).json()["token"]
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert jwt.get_unverified_header(tokens["access_token"])["kid"] != key_of(cast)
        stranger = {"Authorization": f"Bearer {forged(cast)}"}
        strange, *answers = await asyncio.gather(
            client.get("/users/me", headers=stranger), *(client.get("/users/me", headers=headers) for _ in range(3))
        )
        assert strange.status_code == 401
        assert [answer.status_code for answer in answers] == [200] * 3


def key_of(cast: Cast) -> str:
    return str(jwt.get_unverified_header(cast.admin.tokens["access_token"])["kid"])


def forged(cast: Cast) -> str:
    """Return a token of the realm with a key that nobody knows."""
    claims = jwt.decode(cast.admin.tokens["access_token"], options={"verify_signature": False})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "stranger"})


async def add_key(app: FastAPI) -> None:
    """Have the realm sign with a new key from now on."""
    admin = components_of(app)[Keycloak].admin(components_of(app)[Settings].default_realm_name)
    await admin.a_create_component(
        {
            "name": "rotated",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": ["200"], "keySize": ["2048"]},
        }
    )
