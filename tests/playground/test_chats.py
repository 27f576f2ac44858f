"""Sessions, messages, settings and notes: each row is its owner's, and nobody else's."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from uuid_utils.compat import uuid7

from budapp.commons.database import Database
from tests.cast import Cast, Person
from tests.playground.surface import RESPONSE
from tests.projects.data import create, endpoint_row, join
from tests.statements import Statements

Json = dict[str, Any]


class Desk:
    """Somebody who talks with a deployment."""

    def __init__(self, client: httpx.AsyncClient, person: Person, deployment_id: str) -> None:
        self.client, self.person, self.deployment_id = client, person, deployment_id

    async def call(self, method: str, path: str, status: int = 200, body: Json | None = None, **query: Any) -> Json:
        request: Json = {"json": body} if body is not None else {}
        answer = await self.client.request(
            method, f"/playground/{path}", headers=self.person.headers, params=query, **request
        )
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def say(self, prompt: str = "Good morning", status: int = 200, **fields: Any) -> Json:
        ids = {"deployment_id": self.deployment_id, "request_id": str(uuid4())}
        body = {"prompt": prompt, "response": RESPONSE, "total_tokens": 5, **ids, **fields}
        return dict((await self.call("POST", "messages", status, body)).get("chat_message", {}))

    async def said(self, session_id: str) -> list[str]:
        found = await self.call("GET", f"chat-sessions/{session_id}/messages")
        return [one["prompt"] for one in found["chat_messages"]]


@pytest.fixture
async def desk(client: httpx.AsyncClient, cast: Cast, database: Database) -> Desk:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer)
    endpoint = endpoint_row(project["id"], cast.manager, id=uuid7())
    async with database.write() as session:
        session.add(endpoint)
    return Desk(client, cast.developer, str(endpoint.id))


async def test_a_first_message_begins_a_session_and_the_next_ones_follow_it(desk: Desk) -> None:
    first = await desk.say("A question of more than twenty characters")
    second = await desk.say("And another", chat_session_id=first["chat_session_id"])
    assert (first["parent_message_id"], second["parent_message_id"]) == (None, first["id"])
    [listed] = (await desk.call("GET", "chat-sessions"))["chat_sessions"]
    assert (listed["name"], listed["total_tokens"]) == ("A question of more t", 10)
    assert await desk.said(first["chat_session_id"]) == ["And another", "A question of more than twenty characters"]


async def test_another_answer_takes_the_place_of_what_followed(desk: Desk) -> None:
    first = await desk.say("One")
    session_id = first["chat_session_id"]
    for prompt in ("Two", "Three"):
        await desk.say(prompt, chat_session_id=session_id)
    liked = await desk.call("PATCH", f"messages/{first['id']}", body={"feedback": "downvote"})
    assert liked["chat_message"]["feedback"] == "downvote"
    assert len(await desk.said(session_id)) == 3
    figures = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens", "token_per_sec", "ttft", "tpot"), 1)
    whole = {"prompt": "1", "response": RESPONSE, "deployment_id": desk.deployment_id, **figures, "e2e_latency": 2}
    await desk.call("PATCH", f"messages/{first['id']}", 422, body=whole)
    await desk.call("PATCH", f"messages/{first['id']}", body={**whole, "is_cache": False})
    assert await desk.said(session_id) == ["1"]


async def test_settings_go_with_sessions_and_are_outlived_by_them(desk: Desk) -> None:
    made = (await desk.call("POST", "chat-settings", body={"name": "Terse", "stop_strings": ["."]}))["chat_setting"]
    assert (made["temperature"], made["sequence_length"], made["top_p_sampling"]) == (1, 1000, 1)
    first = await desk.say(chat_setting_id=made["id"])
    path = f"chat-sessions/{first['chat_session_id']}"
    assert (await desk.call("GET", path))["chat_session"]["chat_setting"]["name"] == "Terse"
    changed = await desk.call("PATCH", f"chat-settings/{made['id']}", body={"temperature": 0.2, "name": "Terser"})
    assert (changed["chat_setting"]["temperature"], changed["chat_setting"]["stop_strings"]) == (0.2, ["."])
    await desk.call("PATCH", f"chat-settings/{made['id']}", 422, body={"temperature": 9})
    await desk.call("DELETE", f"chat-settings/{made['id']}")
    assert (await desk.call("GET", path))["chat_session"]["chat_setting"] is None
    renamed = await desk.call("PATCH", path, body={"name": "Mornings"})
    assert renamed["chat_session"]["name"] == "Mornings"


async def test_notes_are_of_a_session_and_go_with_it(desk: Desk) -> None:
    session_id = (await desk.say())["chat_session_id"]
    body = {"chat_session_id": session_id, "note": "Friendly"}
    note = (await desk.call("POST", "chat-sessions/notes", body=body))["note"]
    await desk.call("PATCH", f"chat-sessions/notes/{note['id']}", body={"note": "Very friendly"})
    listed = (await desk.call("GET", f"chat-sessions/{session_id}/notes"))["notes"]
    assert [one["note"] for one in listed] == ["Very friendly"]
    await desk.call("DELETE", f"chat-sessions/{session_id}")
    await desk.call("GET", f"chat-sessions/{session_id}/notes", 404)
    await desk.call("DELETE", f"chat-sessions/notes/{note['id']}", 404)


async def test_nobody_else_reads_or_changes_anything_of_it_not_even_administrators(desk: Desk, cast: Cast) -> None:
    message = await desk.say()
    session_id = message["chat_session_id"]
    setting = (await desk.call("POST", "chat-settings", body={"name": "Mine"}))["chat_setting"]
    noted = {"chat_session_id": session_id, "note": "Mine"}
    note = (await desk.call("POST", "chat-sessions/notes", body=noted))["note"]
    for person in (cast.admin, cast.manager, cast.tester, cast.client, cast.other_admin):
        other = Desk(desk.client, person, desk.deployment_id)
        for what in ("chat-sessions", "chat-settings"):
            assert (await other.call("GET", what))["total_record"] == 0
        for path in (f"chat-sessions/{session_id}", f"chat-settings/{setting['id']}"):
            await other.call("GET", path, 404)
            await other.call("PATCH", path, 404, body={"name": "Taken"})
            await other.call("DELETE", path, 404)
        for part in ("messages", "notes"):
            await other.call("GET", f"chat-sessions/{session_id}/{part}", 404)
        await other.call("PATCH", f"messages/{message['id']}", 404, body={"feedback": "upvote"})
        await other.call("DELETE", f"messages/{message['id']}", 404)
        await other.call("PATCH", f"chat-sessions/notes/{note['id']}", 404, body={"note": "Taken"})
        await other.call("POST", "chat-sessions/notes", 404, body=noted)
        await other.say(status=404, chat_session_id=session_id)
        await other.say(status=404, chat_setting_id=setting["id"])


async def test_a_session_takes_no_settings_of_somebody_else(desk: Desk, cast: Cast) -> None:
    session_id = (await desk.say())["chat_session_id"]
    other = Desk(desk.client, cast.manager, desk.deployment_id)
    setting = (await other.call("POST", "chat-settings", body={"name": "Theirs"}))["chat_setting"]
    await desk.call("PATCH", f"chat-sessions/{session_id}", 404, body={"chat_setting_id": setting["id"]})


async def test_a_message_is_about_a_deployment_that_one_may_call(desk: Desk, cast: Cast) -> None:
    await desk.say(status=404, deployment_id=str(uuid4()))
    await Desk(desk.client, cast.tester, desk.deployment_id).say(status=404)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "  "},
        {"response": {"message": {}, "usage": {}}},
        {"response": {**RESPONSE, "odd": "\0"}},
        {"request_id": "x"},
        {"total_tokens": -1},
        {"ttft": "NaN"},
    ],
)
async def test_what_is_no_message_is_422(desk: Desk, fields: Json) -> None:
    await desk.say(**{"prompt": "Hi", "status": 422, **fields})


async def test_lists_cost_two_statements_at_most(desk: Desk, statements: Statements) -> None:
    session_id = (await desk.say())["chat_session_id"]
    for path in ("chat-sessions", "chat-settings", f"chat-sessions/{session_id}/messages", "deployments"):
        counts = []
        for _ in range(4):  # who calls is looked up now and then
            statements.clear()
            await desk.call("GET", path, name="x") if path == "chat-sessions" else await desk.call("GET", path)
            counts.append(len(statements))
        assert min(counts) <= 2
