"""Opening the playground, and talking with deployments through it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import text
from uuid_utils.compat import uuid7

from budapp.api_key_ops import secrets
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.integrations import inference
from budapp.model_ops.models import Model
from budapp.playground_ops.chat import Chats
from tests.cast import Cast, Person
from tests.projects.data import cluster_row, create, endpoint_row, join
from tests.stack import http_client
from tests.waiting import until

Json = dict[str, Any]
CHAT = "/playground/chat/completions"


class ModelServer:
    """A model's server of this test's own: it says as many words as it is told to, and notes who leaves early."""

    def __init__(self) -> None:
        self.words, self.pause, self.status, self.breaks_at = 3, 0.0, 200, -1
        self.moved_to = ""
        self.asked: list[Json] = []
        self.opened: list[str] = []
        self.sent = self.left = 0
        self.url = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.opened.append(request.headers.get("Authorization", ""))
        body = await request.json()
        self.asked.append(body)
        if self.moved_to:
            raise web.HTTPTemporaryRedirect(self.moved_to)
        if self.status != 200:
            return web.json_response({"error": {"message": "Not today"}}, status=self.status)
        usage = {"prompt_tokens": 4, "completion_tokens": self.words, "total_tokens": 4 + self.words}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "word " * self.words}
            return web.json_response({"choices": [{"message": message}], "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for number in range(self.words):
                if number == self.breaks_at:
                    assert request.transport is not None
                    request.transport.close()
                    return response
                await asyncio.sleep(self.pause)
                await self._send(response, {"choices": [{"delta": {"content": f"word{number} "}}]})
                self.sent += 1
            await self._send(response, {"choices": [], "usage": usage})
            await response.write(b"data: [DONE]\n\n")
        except (ConnectionError, asyncio.CancelledError):
            self.left += 1
            raise
        return response

    async def _send(self, response: web.StreamResponse, data: Json) -> None:
        await response.write(f"data: {json.dumps(data)}\n\n".encode())


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.chat)
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve the application on a port, for what an in-process client can't do: read a part, and leave."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, lifespan="off", log_level="warning", timeout_graceful_shutdown=5)
    )
    running = asyncio.create_task(server.serve())
    try:
        await until(lambda: _started(server))
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


async def _started(server: uvicorn.Server) -> bool:
    return bool(server.started)


@pytest.fixture
async def project(client: httpx.AsyncClient, cast: Cast, database: Database) -> Json:
    made = await create(client, cast.manager)
    await join(database, made["id"], cast.developer)
    return made


async def enter(database: Database, person: Person, project_id: str, url: str, **fields: Any) -> str:
    """Put a deployment in, and return its name."""
    about = {"modality": ["text_input"], "supported_endpoints": [], "source": "local", "provider_type": "disk"}
    mine = {"tenant_id": person.tenant_id, "created_by": person.id}
    row = Model(id=uuid7(), name=f"Talker {uuid4()}", uri=f"acme/talker-{uuid4()}", **about, **mine)
    cluster = cluster_row(person, f"cluster-{uuid4()}")
    fields = {"cluster_id": cluster.id, "name": f"talker-{uuid4()}", **fields}
    endpoint = endpoint_row(project_id, person, url=url, model_id=row.id, **fields)
    async with database.write() as session:
        for one in (row, cluster, endpoint):
            session.add(one)
            await session.flush()
    return str(fields["name"])


@pytest.fixture
async def talker(database: Database, cast: Cast, project: Json, model: ModelServer) -> str:
    return await enter(database, cast.manager, project["id"], model.url)


def asking(name: str, **fields: Any) -> Json:
    return {"model": name, "messages": [{"role": "user", "content": "Good morning"}], **fields}


async def test_a_chat_is_passed_on_as_the_model_answers(
    client: httpx.AsyncClient, cast: Cast, talker: str, model: ModelServer
) -> None:
    body = asking(talker, temperature=0.1, max_tokens=7)
    answer = await client.post(CHAT, json=body, headers=cast.developer.headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "word word word "
    assert (model.asked, model.opened) == ([body], [""])
    streamed = await client.post(CHAT, json=body | {"stream": True}, headers=cast.developer.headers)
    *events, measured, end = streamed.text.split("\n\n")
    assert (streamed.headers["content-type"].partition(";")[0], end) == ("text/event-stream", "")
    assert events[-1] == "data: [DONE]"
    words = [json.loads(event[6:])["choices"][0]["delta"]["content"] for event in events[:-1]]
    assert words == ["word0 ", "word1 ", "word2 "]
    figures = json.loads(measured[2:])
    assert (figures["input_tokens"], figures["output_tokens"]) == (4, 3)
    assert 0 < figures["ttft_ms"] <= figures["e2e_latency_ms"]
    assert model.asked[1]["stream_options"] == {"include_usage": True}
    counted = await client.post(
        CHAT, json=body | {"stream": True, "stream_options": {"include_usage": True}}, headers=cast.developer.headers
    )
    assert '"usage"' in counted.text


def answers_that_were(outcome: str) -> float:
    return REGISTRY.get_sample_value("budapp_chat_answers_total", {"outcome": outcome}) or 0


async def test_the_model_is_left_when_the_client_leaves(
    app: FastAPI, cast: Cast, talker: str, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "KEEP_ALIVE_SECONDS", 0.1)
    model.words, model.pause = 1_000, 0.05
    before = answers_that_were("left")
    async with serving(app) as url, http_client(url) as client:
        body = asking(talker, stream=True)
        async with client.stream("POST", CHAT, json=body, headers=cast.developer.headers) as answer:
            assert (await anext(answer.aiter_lines())).startswith("data: ")

        async def is_left() -> bool:
            return model.left == 1

        await until(is_left)
    assert model.sent < 100
    assert answers_that_were("left") == before + 1


async def test_a_client_that_reads_slowly_holds_the_model_back(
    app: FastAPI, cast: Cast, talker: str, model: ModelServer
) -> None:
    model.words = 400_000
    async with serving(app) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        body = json.dumps(asking(talker, stream=True))
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Authorization: {cast.developer.headers['Authorization']}\r\n\r\n{body}".encode())
        async with asyncio.timeout(30):
            assert b"200" in await reader.readline()

        async def stands_still() -> bool:
            before = model.sent
            await asyncio.sleep(0.5)
            return 0 < before == model.sent

        await until(stands_still)
        assert model.sent < model.words
        writer.close()


@pytest.mark.parametrize(
    ("theirs", "ours"), [(400, 400), (404, 404), (422, 400), (429, 429), (500, 502), (503, 503), (401, 502)]
)
async def test_what_the_model_refuses_is_told(
    client: httpx.AsyncClient, cast: Cast, talker: str, model: ModelServer, theirs: int, ours: int
) -> None:
    model.status = theirs
    for stream in (True, False):
        answer = await client.post(CHAT, json=asking(talker, stream=stream), headers=cast.developer.headers)
        assert (answer.status_code, answer.json()["object"]) == (ours, "error")


async def test_nobody_is_led_to_another_address(
    client: httpx.AsyncClient, cast: Cast, talker: str, model: ModelServer
) -> None:
    model.moved_to = f"{model.url}/v1/chat/completions"
    answer = await client.post(CHAT, json=asking(talker, stream=False), headers=cast.developer.headers)
    assert (answer.status_code, len(model.asked)) == (502, 1)


async def test_an_answer_that_breaks_off_ends_with_an_error(
    client: httpx.AsyncClient, cast: Cast, talker: str, model: ModelServer
) -> None:
    model.breaks_at = 2
    answer = await client.post(CHAT, json=asking(talker, stream=True), headers=cast.developer.headers)
    *_, last, _end = answer.text.split("\n\n")
    assert json.loads(last[6:])["error"]["message"] == "The model broke off its answer"


async def test_a_deployment_that_is_down_or_out_of_reach(
    client: httpx.AsyncClient, cast: Cast, database: Database, project: Json, model: ModelServer
) -> None:
    async def outcome(name: str, person: Person) -> int:
        return (await client.post(CHAT, json=asking(name), headers=person.headers)).status_code

    name = await enter(database, cast.manager, project["id"], "http://127.0.0.1:1")
    assert await outcome(name, cast.developer) == 503
    for person in (cast.tester, cast.client, cast.other_admin):
        assert await outcome(name, person) == 404
    pending = await enter(database, cast.manager, project["id"], model.url, status="deploying")
    assert await outcome(pending, cast.developer) == 503
    cloud = await enter(database, cast.manager, project["id"], "", cluster_id=None)
    assert await outcome(cloud, cast.developer) == 400
    published = await enter(database, cast.manager, project["id"], model.url, is_published=True)
    assert await outcome(published, cast.client) == 200


async def test_through_the_gateway_the_session_opens_it(
    client: httpx.AsyncClient, cast: Cast, talker: str, model: ModelServer, app: FastAPI, database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(components_of(app)[Chats], "_gateway", model.url)
    monkeypatch.setattr("budapp.playground_ops.chat._OPENING_SECONDS", 0.6)
    answer = await client.post(CHAT, json=asking(talker), headers=cast.developer.headers)
    assert answer.status_code == 200, answer.text
    token = cast.developer.tokens["access_token"]
    assert model.opened == [f"Bearer {token}"]
    hashed = {"hashed": secrets.lookup_hash(token)}
    async with database.read() as session:
        found = text("select count(*) from gateway_token where hashed_token = :hashed")
        assert await session.scalar(found, hashed) == 1
    model.status = 401  # the gateway has not heard of the session yet
    refused = await client.post(CHAT, json=asking(talker), headers=cast.developer.headers)
    assert (refused.status_code, len(model.opened) > 2) == (502, True)


async def test_initialize_opens_the_gateway_to_the_token(
    client: httpx.AsyncClient, cast: Cast, project: Json, database: Database
) -> None:
    token = cast.developer.tokens["access_token"]
    answer = await client.post("/playground/initialize-with-token", json={"access_token": token})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["user_id"], found["initialization_status"]) == (str(cast.developer.id), "success")
    assert 0 < found["ttl"] <= 3600
    async with database.read() as session:
        hashes = list(await session.scalars(text("select hashed_token from gateway_token")))
    assert hashes == [secrets.lookup_hash(token)]
    for wrong in ("x", token[:-4] + "abcd"):
        refused = await client.post("/playground/initialize-with-token", json={"access_token": wrong})
        assert refused.status_code == 401
    alone = cast.tester.tokens["access_token"]
    assert (await client.post("/playground/initialize-with-token", json={"access_token": alone})).status_code == 404


async def test_initialize_with_a_refresh_token_renews_the_session(
    client: httpx.AsyncClient, cast: Cast, project: Json, settings: Settings
) -> None:
    body = {"email": cast.developer.email, "password": "Correct-Horse-1", "user_type": "admin"}
    signed_in = (await client.post("/auth/login", json={**body, "tenant": settings.default_realm_name})).json()
    refresh = signed_in["token"]["refresh_token"]
    answer = await client.post("/playground/initialize", json={"refresh_token": refresh})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    headers = {"Authorization": f"Bearer {found['access_token']}"}
    assert (await client.get("/playground/chat-sessions", headers=headers)).status_code == 200
    assert found["refresh_token"] != refresh
    assert (await client.post("/playground/initialize", json={"refresh_token": "x"})).status_code == 401


async def test_deployments_are_those_that_one_may_call(
    client: httpx.AsyncClient, cast: Cast, talker: str, project: Json, database: Database
) -> None:
    async def listed(headers: dict[str, str], expected: int = 200, **query: Any) -> list[str]:
        answer = await client.get("/playground/deployments", headers=headers, params=query)
        assert answer.status_code == expected, answer.text
        return [one["name"] for one in answer.json().get("endpoints", ())]

    mine = cast.developer.headers
    assert await listed(mine) == await listed(mine, model_name="alk", search=True) == [talker]
    assert await listed(mine, status="failure") == await listed(mine, modality="image_input") == []
    assert await listed(mine, project_id=project["id"]) == [talker]
    await listed(cast.tester.headers, 404, project_id=project["id"])
    for person in (cast.tester, cast.client, cast.other_admin):
        assert await listed(person.headers) == []
    await listed({}, 401)
    await listed({"api-key": "bud_admin_x"}, 400)
    key = (await client.post("/credentials/", json={"name": "Mine", "project_id": project["id"]}, headers=mine)).json()
    secret = {"api-key": key["result"]["key"]}
    assert await listed(secret) == [talker]
    for models, found in (([str(uuid7())], []), (None, [talker])):
        async with database.write() as session:
            await session.execute(text("update credential set model_ids = :models"), {"models": models})
        assert await listed(secret) == found
    other = await create(client, cast.manager, name="Other")
    await join(database, other["id"], cast.developer)
    elsewhere = await enter(database, cast.developer, other["id"], "http://x")
    assert await listed(secret) == [talker]
    assert set(await listed(mine)) == {talker, elsewhere}
    async with database.write() as session:
        await session.execute(text("update credential set expiry = now() - interval '1 second'"))
    await listed(secret, 400)
