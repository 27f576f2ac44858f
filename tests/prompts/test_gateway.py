"""What the gateway is told of prompts and drafts: worked out from rows, after each change and as a whole."""

import json
from typing import Any

from redis.asyncio import Redis

from budapp.api_key_ops.secrets import lookup_hash
from budapp.gateway_ops.services import GatewayTables
from tests.api_keys.data import make_key
from tests.gateway.conftest import all_entries
from tests.prompts.conftest import Writer


async def settle(tables: GatewayTables) -> None:
    while await tables.apply_changes():
        pass


async def key_of(writer: Writer) -> str:
    """Make an API key of the project, and return where its entry lies."""
    made = await make_key(writer.bench.http, writer.person, writer.project_id)
    return f"api_key:{lookup_hash(made['key'])}"


async def read(valkey: Redis, name: str) -> Any:
    text = await valkey.get(name)
    assert text is not None
    return json.loads(text)


async def opened(valkey: Redis, name: str) -> dict[str, Any]:
    found = json.loads(await valkey.get(name) or "{}")
    return {called: value for called, value in found.items() if called.startswith("prompt:")}


async def test_a_prompt_is_callable_with_the_keys_of_its_project(
    writer: Writer, tables: GatewayTables, valkey: Redis
) -> None:
    await tables.rebuild()
    key = await key_of(writer)
    prompt = await writer.prompt()
    second = await writer.version(prompt)
    await settle(tables)
    called = f"prompt:{prompt['prompt_name']}"
    found = await opened(valkey, key)
    assert set(found) == {called, f"{called}:v1", f"{called}:v2"}
    assert found[called]["is_default"] is True
    assert (found[called]["version"], found[called]["prompt_id"]) == (1, prompt["id"])
    assert found[f"{called}:v2"]["prompt_version_id"] == second["id"]
    model = (await read(valkey, f"model_table:{prompt['id']}"))[prompt["id"]]
    assert (model["routing"], model["endpoints"]) == (["budprompt"], ["responses"])
    assert model["providers"]["budprompt"]["model_name"] == called
    await writer.call("PATCH", f"/{prompt['id']}/versions/{second['id']}", json={"set_as_default": True})
    await settle(tables)
    assert (await opened(valkey, key))[called]["version"] == 2
    before = await all_entries(valkey)
    await tables.rebuild()
    assert await all_entries(valkey) == before
    assert not await tables.diff()
    await writer.call("DELETE", f"/{prompt['id']}")
    await settle(tables)
    assert await opened(valkey, key) == {}
    assert await valkey.get(f"model_table:{prompt['id']}") is None


async def test_a_prompt_is_callable_as_long_as_its_deployment_runs(
    writer: Writer, tables: GatewayTables, valkey: Redis
) -> None:
    await tables.rebuild()
    key = await key_of(writer)
    prompt = await writer.prompt()
    await settle(tables)
    assert await opened(valkey, key) != {}
    async with writer.bench.database.write() as session:
        endpoint = await session.get(type(writer.endpoint), writer.endpoint.id)
        assert endpoint is not None
        endpoint.status = "unhealthy"
    await settle(tables)
    assert await opened(valkey, key) == {}
    assert prompt["status"] == "active"


async def test_a_draft_is_there_for_a_day_after_it_was_saved(
    writer: Writer, tables: GatewayTables, valkey: Redis
) -> None:
    await tables.rebuild()
    draft = await writer.draft()
    await settle(tables)
    name = f"draft_prompt:{writer.person.id}:{draft}"
    assert await read(valkey, name) == {"prompt_id": draft, "user_id": str(writer.person.id)}
    about = await read(valkey, f"{name}:v1")
    assert (about["endpoint_id"], about["version"]) == (str(writer.endpoint.id), 1)
    for one in (name, f"{name}:v1", f"model_table:{draft}"):
        assert 86_000 < await valkey.ttl(one) <= 86_400
    before = await all_entries(valkey)
    await tables.rebuild()
    assert await all_entries(valkey) == before
    await writer.call("POST", "/prompt-cleanup", json={"prompts": [{"prompt_id": draft}]})
    await settle(tables)
    assert [await valkey.get(one) for one in (name, f"{name}:v1", f"model_table:{draft}")] == [None, None, None]
