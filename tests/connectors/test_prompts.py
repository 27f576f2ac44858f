"""Connectors and tools of prompts: from a draft with a consent to a published version, and away again."""

from collections.abc import Callable
from uuid import uuid4

import httpx

from budapp.commons.database import Database
from tests.cast import Cast
from tests.connectors.conftest import Desk, Json
from tests.prompts.conftest import Writer, bench, deploy, writer
from tests.refused_commits import refusing
from tests.waiting import until

__all__ = ["bench", "deploy", "writer"]

CALLBACK = "/connectors/oauth/public-callback"


async def tools_of(writer: Writer, called: str) -> list[Json]:
    await writer.drain()
    found: list[Json] = (await writer.call("GET", f"/prompt-config/{called}"))["data"]["tools"]
    return found


async def test_a_draft_gets_tools_after_a_consent_and_takes_them_along_when_it_is_published(
    writer: Writer, desk: Desk, browser: Callable[[], httpx.AsyncClient], cast: Cast
) -> None:
    draft = await writer.draft()
    body = {"credentials": desk.provider.credentials(), "version": 1}
    made = await writer.call("POST", f"/{draft}/connectors/github/register", json=body)
    assert (made["connector_id"], made["budprompt_id"]) == ("github", draft)
    await writer.call("POST", f"/{draft}/connectors/github/register", 409, json=body)
    has = {"prompt_id": draft, "is_registered": True}
    assert [one["id"] for one in (await writer.call("GET", "/connectors", params=has))["connectors"]] == ["github"]
    of: Json = {"prompt_id": draft, "connector_id": "github", "version": 1}
    await writer.call("POST", "/oauth/fetch-tools", 400, json=of)
    begun, window = await writer.call("POST", "/oauth/initiate", json=of), browser()
    back = await desk.provider.consent(await desk.depart(begun, window))
    assert (await window.get(CALLBACK, params=back)).status_code == 200
    fetched = (await writer.call("POST", "/oauth/fetch-tools", json=of))["tools"]
    assert len(fetched) == 3
    chosen = [fetched[0]["id"], fetched[1]["id"]]
    added = await writer.call("POST", "/prompt-config/add-tool", json={**of, "tool_ids": chosen})
    assert added["added_tools"] == chosen
    listed = (await writer.call("GET", "/tools", params={"prompt_id": draft, "connector_id": "github"}))["tools"]
    assert {tool["id"]: tool["is_added"] for tool in listed} == {tool["id"]: tool["id"] in chosen for tool in fetched}
    shown = (await writer.call("GET", f"/tools/{chosen[0]}"))["tool"]
    assert shown["schema"]["required"] == ["query"]
    await writer.of(cast.other_admin).call("GET", f"/tools/{chosen[0]}", 404)
    [tool] = await tools_of(writer, draft)
    assert (tool["connector_id"], tool["allowed_tools"]) == ("github", chosen)
    assert tool["server_config"] == {added["virtual_server_id"]: chosen}
    await writer.call("POST", "/prompt-config/add-tool", 400, json={**of, "tool_ids": ["nothing"]})
    name = f"bot-{uuid4().hex[:8]}"
    published = await writer.trigger(name, draft)
    assert [one["connector_id"] for one in await tools_of(writer, name)] == ["github"]
    of_prompt = {"prompt_id": name, "connector_id": "github"}
    assert len((await writer.call("GET", "/tools", params=of_prompt))["tools"]) == 3
    gateways = len(await desk.peer.requests("/gateways/"))
    await writer.call("DELETE", f"/{published['workflow_steps']['prompt_id']}")
    assert len(await desk.peer.requests("/gateways/")) == gateways + 1


async def test_a_connector_that_a_prompt_has_already_leaves_nothing_at_the_foundry(writer: Writer, desk: Desk) -> None:
    prompt, header = await writer.prompt(), f"X-{uuid4().hex[:12]}"
    for status in (200, 409):
        path = f"/{prompt['prompt_name']}/connectors/weather/register"
        await writer.call("POST", path, status, json={"credentials": {"passthrough_headers": [header]}})
    assert len(await desk.peer.requests(header)) == 2

    async def one_is_left() -> bool:
        kept = (await desk.peer.http.get("/gateways", headers=writer.person.headers)).json()
        return [one.get("passthrough_headers") for one in kept].count([header]) == 1

    await until(one_is_left)


async def test_tools_that_could_not_be_kept_leave_no_server_at_the_foundry(
    writer: Writer, desk: Desk, database: Database
) -> None:
    called = (await writer.prompt())["prompt_name"]
    of: Json = {"prompt_id": called, "connector_id": "weather"}
    await writer.call("POST", f"/{called}/connectors/weather/register", json={"credentials": {}})
    tools = [tool["id"] for tool in (await writer.call("GET", "/tools", params=of))["tools"]]

    async def servers() -> int:
        found = (await desk.peer.http.get("/servers", headers=writer.person.headers)).json()
        return sum(one["name"].startswith(f"{called}-v1-weather-") for one in found)

    async def none_is_left() -> bool:
        return await servers() == 0

    body = {**of, "version": 1, "tool_ids": tools[:1]}
    async with refusing(database, "connector_gateway", "update"):
        await writer.call("POST", "/prompt-config/add-tool", 500, json=body)
    await until(none_is_left)
    await writer.call("POST", "/prompt-config/add-tool", json=body)
    assert await servers() == 1


async def test_a_prompt_loses_a_connector(writer: Writer) -> None:
    prompt = await writer.prompt()
    called = prompt["prompt_name"]
    path = f"/{called}/connectors/weather"
    made = await writer.call("POST", f"{path}/register", json={"credentials": {}})
    assert [one["connector_id"] for one in await tools_of(writer, called)] == ["weather"]
    gone = await writer.call("DELETE", f"{path}/disconnect", params={"version": 1})
    assert gone["deleted_gateway_id"] == made["gateway"]["gateway_id"]
    assert await tools_of(writer, called) == []
    await writer.call("DELETE", f"{path}/disconnect", 404)


async def test_a_prompt_stays_where_the_foundry_does_not_let_its_connectors_go(writer: Writer, desk: Desk) -> None:
    prompt = await writer.prompt()
    await writer.call("POST", f"/{prompt['prompt_name']}/connectors/weather/register", json={"credentials": {}})
    await desk.peer.does_wrong("/gateways/", status=500)
    await writer.call("DELETE", f"/{prompt['id']}", 502)
    await desk.peer.behave()
    assert (await writer.call("GET", f"/{prompt['id']}"))["prompt"]["id"] == prompt["id"]
    await writer.call("DELETE", f"/{prompt['id']}")


async def test_nobody_gives_a_prompt_of_others_a_connector(writer: Writer, cast: Cast) -> None:
    draft, prompt = await writer.draft(), await writer.prompt()
    body: Json = {"credentials": {}}
    for other in (cast.manager, cast.other_admin, cast.tester):
        await writer.of(other).call("POST", f"/{draft}/connectors/weather/register", 404, json=body)
    for other in (cast.other_admin, cast.tester, cast.client):
        path = f"/{prompt['prompt_name']}/connectors/weather"
        await writer.of(other).call("POST", f"{path}/register", 404, json=body)
        await writer.of(other).call("DELETE", f"{path}/disconnect", 404)
    await writer.call("POST", f"/{draft}/connectors/nothing/register", 404, json=body)
    await writer.call("POST", f"/{draft}/connectors/tickets/register", 400, json=body)


async def test_a_consent_counts_for_the_connector_that_it_was_begun_for(
    writer: Writer, desk: Desk, browser: Callable[[], httpx.AsyncClient]
) -> None:
    first, second = await writer.draft(), await writer.draft()
    for draft in (first, second):
        body = {"credentials": desk.provider.credentials()}
        await writer.call("POST", f"/{draft}/connectors/github/register", json=body)
    begun = await writer.call("POST", "/oauth/initiate", json={"prompt_id": first, "connector_id": "github"})
    back = await desk.provider.consent(await desk.depart(begun, browser()))
    code = {"code": back["code"], "state": back["state"], "connector_id": "github"}
    await writer.call("POST", "/oauth/callback", 400, json={**code, "prompt_id": second})
    await writer.call("POST", "/oauth/callback", 404, json={**code, "prompt_id": "nobodys"})
    await writer.call("POST", "/oauth/callback", json={**code, "prompt_id": first})


async def test_a_consent_for_a_later_version_of_a_prompt_counts(
    writer: Writer, desk: Desk, browser: Callable[[], httpx.AsyncClient]
) -> None:
    prompt = await writer.prompt()
    await writer.version(prompt)
    called, body = prompt["prompt_name"], {"credentials": desk.provider.credentials(), "version": 2}
    await writer.call("POST", f"/{called}/connectors/github/register", json=body)
    of: Json = {"prompt_id": called, "connector_id": "github"}
    begun = await writer.call("POST", "/oauth/initiate", json={**of, "version": 2})
    back = await desk.provider.consent(await desk.depart(begun, browser()))
    await writer.call("POST", "/oauth/callback", json={**of, "code": back["code"], "state": back["state"]})
    fetched = await writer.call("POST", "/oauth/fetch-tools", json={**of, "version": 2})
    assert len(fetched["tools"]) == 3
