"""A store that is down is a 503 that comes soon, and nothing is let through for it."""

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.events.models import OutboxMessage
from budapp.main import create_app
from budapp.user_ops.models import User
from tests.cast import PASSWORD, Cast


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


Without = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def without(settings: Settings) -> Without:
    """A client of a service that cannot reach one of its stores."""
    nowhere = f"127.0.0.1:{closed_port()}"
    changes: dict[str, dict[str, object]] = {
        "postgresql": {"psql_port": int(nowhere.rpartition(":")[2])},
        "keycloak": {
            "keycloak_server_url": f"http://{nowhere}",
            "keycloak_public_url": settings.keycloak_server_url,
        },
        "valkey": {"tensorzero_redis_url": SecretStr(f"redis://{nowhere}/2")},
        "dapr": {"dapr_base_url": f"http://{nowhere}"},
        "storage": {"minio_endpoint": nowhere},
    }

    @asynccontextmanager
    async def crippled(store: str) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(settings.model_copy(update=changes[store]))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as client:
            yield client
        await components_of(app).close()

    return crippled


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["code"] == 503


async def test_without_postgresql_nobody_is_let_in(without: Without, cast: Cast) -> None:
    started = time.monotonic()
    async with without("postgresql") as client:
        assert_unavailable(await client.get("/users/me", headers=cast.admin.headers))
        assert_unavailable(await client.get("/projects/", headers=cast.admin.headers))
    assert time.monotonic() - started < 5


async def test_without_keycloak_a_cold_start_lets_nobody_in(without: Without, cast: Cast) -> None:
    async with without("keycloak") as client:
        assert_unavailable(await client.get("/users/me", headers=cast.admin.headers))
        login = {"email": cast.admin.email, "password": PASSWORD}
        assert_unavailable(await client.post("/auth/login", json=login))
        body = {"refresh_token": cast.admin.tokens["refresh_token"]}
        assert_unavailable(await client.post("/auth/refresh-token", json=body))


async def test_without_keycloak_a_user_is_not_half_made(without: Without, cast: Cast, database: Database) -> None:
    body = {"name": "Late", "email": "late@example.com", "password": PASSWORD}
    async with without("keycloak") as client:
        assert_unavailable(await client.post("/auth/register", json=body))
    async with database.read() as session:
        assert await session.scalar(select(User).where(User.email == "late@example.com")) is None


async def test_without_valkey_sign_in_is_closed_and_the_rest_works(without: Without, cast: Cast) -> None:
    async with without("valkey") as client:
        login = {"email": cast.admin.email, "password": PASSWORD}
        assert_unavailable(await client.post("/auth/login", json=login))
        assert (await client.get("/users/me", headers=cast.admin.headers)).status_code == 200
        path = f"/users/{cast.developer.id}"
        change = await client.patch(path, json={"company": "Acme"}, headers=cast.developer.headers)
        assert change.status_code == 200


async def test_without_valkey_a_logout_ends_the_session_everywhere(
    without: Without, cast: Cast, client: httpx.AsyncClient
) -> None:
    body = {"email": cast.tester.email, "password": PASSWORD}
    tokens = (await client.post("/auth/login", json=body)).json()["token"]
    headers, refresh = {"Authorization": f"Bearer {tokens['access_token']}"}, {"refresh_token": tokens["refresh_token"]}
    async with without("valkey") as crippled:
        assert (await crippled.post("/auth/logout", json=refresh, headers=headers)).status_code == 200
    assert (await client.get("/users/me", headers=headers)).status_code == 401
    assert (await client.post("/auth/refresh-token", json=refresh)).status_code == 401


async def test_without_the_sidecar_a_project_is_made_and_its_message_waits(
    without: Without, cast: Cast, database: Database
) -> None:
    async with without("dapr") as client:
        answer = await client.post("/projects/", json={"name": "Offline"}, headers=cast.client.headers)
        assert answer.status_code == 200
    async with database.read() as session:
        assert (await session.scalars(select(OutboxMessage))).all()


@pytest.mark.parametrize(
    ("store", "status", "code"),
    [
        ("postgresql", "unavailable", 503),
        ("keycloak", "degraded", 200),
        ("valkey", "degraded", 200),
        ("dapr", "degraded", 200),
        ("storage", "degraded", 200),
    ],
)
async def test_only_without_postgresql_no_requests_should_come(
    without: Without, store: str, status: str, code: int
) -> None:
    async with without(store) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == code
        assert answer.json()["status"] == status
        assert [name for name, state in answer.json()["dependencies"].items() if state == "down"] == [store]
        assert (await client.get("/livez")).status_code == 200


async def test_readiness_is_ok_where_everything_answers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "ok"
    assert set(answer.json()["dependencies"].values()) == {"up"}
