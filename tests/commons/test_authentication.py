"""Who gets past the authentication of requests: nobody without a valid token, but where a route is public."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from budapp.commons.access import Authenticator, public
from budapp.commons.authentication import AuthenticationMiddleware
from budapp.commons.config import Settings
from budapp.commons.domain import Components, components_of
from budapp.commons.error_handlers import install_error_handlers
from budapp.commons.errors import Unauthenticated
from budapp.commons.routing import RouteIndex
from tests.cast import Cast

BAD = {"Authorization": "Bearer not.a.token"}


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/users/me/permissions/x", "//", "/auth"])
async def test_a_path_that_leads_nowhere_is_401_for_nobody_and_404_for_somebody(
    client: httpx.AsyncClient, cast: Cast, path: str
) -> None:
    for headers in ({}, BAD):
        refused = await client.get(path, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.json()["object"] == "error"
    assert (await client.get(path, headers=cast.tester.headers)).status_code == 404


@pytest.mark.usefixtures("openapi")
async def test_a_bad_token_fails_no_public_route(client: httpx.AsyncClient, cast: Cast) -> None:
    for path in ("/livez", "/v1/livez", "/billing/plans", "/oauth/providers", "/openapi.json", "/docs"):
        assert (await client.get(path, headers=BAD)).status_code == 200
    for body in ({"refresh_token": "x"}, {}):
        with_token = await client.post("/auth/refresh-token", json=body, headers=BAD)
        without = await client.post("/auth/refresh-token", json=body)
        assert with_token.status_code == without.status_code != 403


async def test_another_method_or_a_slash_on_a_public_path_needs_no_token(client: httpx.AsyncClient) -> None:
    wrong = await client.put("/auth/login", headers=BAD)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert (await client.get("/livez/")).status_code == 200


async def test_the_methods_of_a_path_are_told_to_those_who_are_signed_in(client: httpx.AsyncClient, cast: Cast) -> None:
    assert (await client.delete("/projects/")).status_code == 401
    wrong = await client.delete("/v1/projects/", headers=cast.tester.headers)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")


async def test_the_routes_of_a_path_are_told_apart_by_their_method(client: httpx.AsyncClient, cast: Cast) -> None:
    """`POST /users/reset-password` is public, and `PATCH /users/{user_id}` fits that path too."""
    assert (await client.patch("/users/reset-password", json={"name": "x"})).status_code in {401, 405}
    assert (await client.patch(f"/users/{cast.tester.id}", json={"name": "x"})).status_code == 401


async def test_each_request_is_authenticated_once(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    authenticate = components_of(app)[Authenticator].authenticate

    async def counting(token: str) -> Any:
        asked.append(token)
        return await authenticate(token)

    monkeypatch.setattr(components_of(app)[Authenticator], "authenticate", counting)
    headers = cast.admin.headers | {"Idempotency-Key": "once"}
    assert (await client.post("/projects/", json={"name": "Once"}, headers=headers)).status_code == 200
    assert len(asked) == 1
    await client.get("/billing/plans", headers=cast.admin.headers)
    assert len(asked) == 1


async def test_a_store_that_is_down_is_503_but_on_public_routes(
    client: httpx.AsyncClient, app: FastAPI, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_token: str) -> None:
        raise OperationalError("select", {}, OSError("gone"))

    monkeypatch.setattr(components_of(app)[Authenticator], "authenticate", down)
    for path in ("/users/me", "/nowhere"):
        answer = await client.get(path, headers=cast.admin.headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await client.get("/livez", headers=cast.admin.headers)).status_code == 200


class _OnlyGood:
    async def authenticate(self, token: str) -> Any:
        if token != "good":
            raise Unauthenticated
        return SimpleNamespace(is_service=False)

    async def stand_for(self, user_id: UUID) -> Any:
        raise Unauthenticated


@pytest.fixture
def small(settings: Settings) -> FastAPI:
    """An application with an undeclared mount and a websocket, as somebody may add one some day."""
    application = FastAPI()
    application.state.components = Components(settings, ())
    application.state.components.override(Authenticator, _OnlyGood())

    @application.get("/open", dependencies=[public])
    async def take_anyone() -> None: ...

    @application.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()

    async def page(_request: object) -> PlainTextResponse:
        return PlainTextResponse("mounted")

    application.mount("/tool", Starlette(routes=[Route("/page", page)]))
    RouteIndex.install(application)
    install_error_handlers(application)
    application.add_middleware(AuthenticationMiddleware)
    return application


@pytest.fixture
async def visitor(small: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(small), base_url="http://small.test") as http:
        yield http


async def test_a_mounted_application_is_for_callers_only(visitor: httpx.AsyncClient) -> None:
    good = {"Authorization": "Bearer good"}
    assert (await visitor.get("/open")).status_code == 200
    statuses = [(await visitor.get("/tool/page", headers=headers)).status_code for headers in ({}, BAD, good)]
    assert statuses == [401, 401, 200]
    assert (await visitor.get("/docs")).status_code == 401, "nobody has said that it is public"


async def test_a_websocket_is_refused(small: FastAPI) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await small({"type": "websocket", "path": "/live", "headers": [], "query_string": b""}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
