from uuid import uuid4

import httpx
import pytest

from tests.api_keys.data import make_key
from tests.cast import Cast
from tests.projects.data import create, join
from tests.prompts.conftest import Json, Writer


async def test_a_draft_becomes_a_prompt_which_is_listed_changed_and_deleted(writer: Writer) -> None:
    name = f"bot-{uuid4().hex[:8]}"
    draft = await writer.draft()
    unused = await writer.draft()
    made = await writer.trigger(name, draft, discarded_prompt_ids=[{"prompt_id": unused}, {"prompt_id": draft}])
    steps = made["workflow_steps"]
    assert made["status"] == "completed"
    assert (steps["project"]["id"], steps["endpoint"]["id"]) == (writer.project_id, str(writer.endpoint.id))
    prompt = (await writer.call("GET", f"/{steps['prompt_id']}"))["prompt"]
    assert (prompt["name"], prompt["prompt_name"], prompt["version"], prompt["caching"]) == (name, name, 1, True)
    assert prompt["default_version_id"] == steps["version_id"] == prompt["default_version"]["id"]
    assert prompt["default_version"]["endpoint"]["name"] == writer.endpoint.name
    listed = (await writer.call("GET", "", params={"project_id": writer.project_id}))["prompts"]
    assert [(one["id"], one["default_version"], one["model_name"]) for one in listed] == [
        (prompt["id"], 1, prompt["model"]["name"])
    ]
    says = (await writer.call("GET", f"/prompt-config/{name}"))["data"]
    assert says["system_prompt"] == "You help.\nBe kind."
    assert says["deployment_id"] == str(writer.endpoint.id)
    await writer.drain()
    assert await writer.peer.requests(f'"{unused}"') != []
    await writer.call("GET", f"/prompt-config/{unused}", 404)
    await writer.call("GET", f"/prompt-config/{draft}")
    changed = await writer.call("PATCH", f"/{prompt['id']}", json={"description": "Kind", "tags": []})
    assert (changed["prompt"]["description"], changed["prompt"]["tags"]) == ("Kind", [])
    await writer.call("PATCH", f"/{prompt['id']}", 400, json={"name": "other"})
    await writer.call("DELETE", f"/{prompt['id']}")
    await writer.drain()
    await writer.call("GET", f"/{prompt['id']}", 404)
    await writer.call("GET", f"/prompt-config/{name}", 404)
    assert [one["method"] for one in await writer.peer.requests(f"prompt-config/{name}?")][-1] == "DELETE"
    again = await writer.trigger(name, await writer.draft())
    assert again["status"] == "completed"


async def test_a_name_is_a_tenants_and_taken_whatever_the_case(writer: Writer, cast: Cast) -> None:
    prompt = await writer.prompt()
    draft = await writer.draft()
    await writer.trigger(prompt["name"].upper(), draft, 409)
    made = await writer.trigger("My Bot", await writer.draft())
    assert (await writer.call("GET", f"/{made['workflow_steps']['prompt_id']}"))["prompt"]["name"] == "my-bot"


async def test_another_tenant_may_use_the_name_and_has_its_own_words(
    writer: Writer, cast: Cast, deploy: object
) -> None:
    mine = await writer.prompt(system_prompt="Ours")
    assert callable(deploy)
    project = await create(writer.bench.http, cast.other_admin, name=f"Theirs {uuid4().hex[:8]}")
    endpoint = await deploy(project["id"], cast.other_admin, name=writer.endpoint.name)
    theirs = Writer(writer.bench, cast.other_admin, writer.peer, project["id"], endpoint, endpoint)
    made = await theirs.prompt(mine["name"], system_prompt="Theirs")
    assert made["name"] == mine["name"]
    assert made["prompt_name"] != mine["prompt_name"]
    for one, prompt, words in ((writer, mine, "Ours"), (theirs, made, "Theirs")):
        version = prompt["default_version_id"]
        says = (await one.call("GET", f"/{prompt['id']}/versions/{version}"))["config_data"]
        assert says["system_prompt"] == words
    await theirs.call("GET", f"/prompt-config/{mine['prompt_name']}", 404)
    await theirs.call("POST", "/prompt-config", 404, json={"prompt_id": mine["prompt_name"], "system_prompt": "Hi"})
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/versions")):
        await theirs.call(method, f"/{mine['id']}{path}", 404)
    assert (await theirs.call("GET", "/tags/search", params={"search_term": "sup"}))["total_record"] == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": "not allowed!"}, 422),
        ({"name": "é"}, 422),
        ({"concurrency": [10, 1]}, 422),
        ({"concurrency": [1]}, 422),
        ({"rate_limit_value": None, "rate_limit": True}, 422),
        ({"bud_prompt_id": "nobodys"}, 404),
        ({"endpoint_id": str(uuid4())}, 404),
        ({"project_id": str(uuid4())}, 404),
        ({"concurrency": None}, 400),
    ],
)
async def test_what_a_prompt_is_made_of_is_checked(writer: Writer, changes: Json, status: int) -> None:
    await writer.trigger(f"bot-{uuid4().hex[:8]}", await writer.draft(), status, **changes)


async def test_the_deployment_must_be_in_the_prompts_project(writer: Writer, cast: Cast) -> None:
    project = await create(writer.bench.http, cast.manager, name=f"Other {uuid4().hex[:8]}")
    await join(writer.bench.database, project["id"], cast.developer, scopes=("endpoint:view", "endpoint:manage"))
    await writer.trigger(f"bot-{uuid4().hex[:8]}", await writer.draft(), 400, project_id=project["id"])


async def test_a_draft_is_its_writers_alone(writer: Writer, cast: Cast) -> None:
    draft = await writer.draft()
    assert (await writer.call("GET", f"/prompt-config/{draft}"))["data"]["system_prompt"].startswith("You help")
    for other in (cast.manager, cast.other_admin):
        await writer.of(other).call("GET", f"/prompt-config/{draft}", 404)
        body = {"prompt_id": draft, "system_prompt": "Mine"}
        await writer.of(other).call("POST", "/prompt-config", 404, json=body)
        await writer.of(other).call("POST", "/prompt-cleanup", json={"prompts": [{"prompt_id": draft}]})
    await writer.drain()
    assert (await writer.call("GET", f"/prompt-config/{draft}"))["data"]["system_prompt"].startswith("You help")
    await writer.call("POST", "/prompt-cleanup", json={"prompts": [{"prompt_id": draft}]})
    await writer.drain()
    await writer.call("GET", f"/prompt-config/{draft}", 404)


async def test_a_draft_that_is_over_is_nobodys(writer: Writer, cast: Cast) -> None:
    draft = await writer.draft()
    await writer.bench.sql("update prompt_draft set expires_at = now() - interval '1 second'")
    await writer.call("GET", f"/prompt-config/{draft}", 404)
    manager = writer.of(cast.manager)
    await manager.draft(prompt_id=draft)
    await manager.call("GET", f"/prompt-config/{draft}")
    await writer.call("GET", f"/prompt-config/{draft}", 404)


async def test_saving_some_of_a_draft_keeps_the_rest(writer: Writer) -> None:
    draft = await writer.draft()
    settings = {"temperature": 0.2, "max_tokens": 100, "chat_template": "x"}
    for says in ({"model_settings": settings}, {"stream": True}, {"client_metadata": {"tab": 2}}):
        saved = await writer.call("POST", "/prompt-config", json={"prompt_id": draft, **says})
        assert (saved["bud_prompt_id"], saved["bud_prompt_version"]) == (draft, 1)
    data = (await writer.call("GET", f"/prompt-config/{draft}"))["data"]
    assert {name: data["model_settings"][name] for name in settings} == settings
    assert (data["stream"], data["client_metadata"]) == (True, {"tab": 2})
    assert data["messages"] == [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    "says",
    [
        {"model_settings": {"temperature": 3}},
        {"system_prompt": "a\x00"},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"prompt_id": "../../x"},
        {"version": 0},
        {"client_metadata": {"a": "\x00"}},
    ],
)
async def test_what_a_draft_says_is_checked(writer: Writer, says: Json) -> None:
    await writer.draft(422, **says)


async def test_who_may_not_manage_deployments_saves_nothing(writer: Writer, cast: Cast) -> None:
    await join(writer.bench.database, writer.project_id, cast.tester, scopes=("endpoint:view",))
    prompt = await writer.prompt()
    tester = writer.of(cast.tester)
    await tester.draft(403)
    body = {"prompt_id": prompt["prompt_name"], "system_prompt": "Mine"}
    await tester.call("POST", "/prompt-config", 403, json=body)
    await tester.call("PATCH", f"/{prompt['id']}", 403, json={"description": "Mine"})
    await tester.call("DELETE", f"/{prompt['id']}", 403)
    assert (await tester.call("GET", f"/{prompt['id']}"))["prompt"]["id"] == prompt["id"]
    await writer.of(cast.client).call("GET", f"/{prompt['id']}", 404)


async def test_a_deployment_that_answers_a_prompt_is_not_deleted(writer: Writer, cast: Cast) -> None:
    prompt = await writer.prompt()
    path = f"/endpoints/{writer.endpoint.id}/delete-workflow"
    refused = await writer.bench.http.post(path, json={}, headers=cast.manager.headers)
    assert refused.status_code == 400
    assert prompt["name"] in refused.json()["message"]


async def test_a_schema_is_taken_over_into_a_draft(writer: Writer) -> None:
    draft = await writer.draft()
    wanted = {"$defs": {"Input": {"properties": {"city": {"type": "string"}}}}}
    schema = {"schema": wanted, "validations": {"Input": {"city": "is a real city"}}}
    body = {"step_number": 1, "workflow_total_steps": 0, "trigger_workflow": True, "prompt_id": draft, "version": 1}
    body |= {"set_default": False, "deployment_name": writer.endpoint.name, "type": "input", "schema": schema}
    begun = await writer.call("POST", "/prompt-schema", json=body)
    steps = [step["id"] for step in begun["workflow_steps"]["prompt_schema_events"]["steps"]]
    assert steps == ["validation", "code_generation", "save_prompt_configuration"]
    done = await writer.bench.until(begun["workflow_id"], "completed")
    assert done["workflow_steps"]["bud_prompt_id"] == draft
    assert done["workflow_steps"]["bud_prompt_version"] == 1
    data = (await writer.call("GET", f"/prompt-config/{draft}"))["data"]
    assert data["input_schema"] == wanted
    assert data["input_validation"]["Input"]["city"]["prompt"] == "is a real city"
    listed = await writer.bench.http.get("/workflows", headers=writer.person.headers)
    assert begun["workflow_id"] not in listed.text


async def test_a_schema_that_is_refused_fails_with_its_reason(writer: Writer) -> None:
    draft = await writer.draft()
    body = {"step_number": 1, "workflow_total_steps": 1, "trigger_workflow": True, "prompt_id": draft}
    body |= {"deployment_name": writer.endpoint.name, "type": "output", "schema": {"schema": {"odd": True}}}
    begun = await writer.call("POST", "/prompt-schema", json=body)
    failed = await writer.bench.until(begun["workflow_id"], "failed")
    assert failed["reason"] == "The schema is not valid"


async def test_the_calls_of_a_prompt_are_shown_to_those_who_may_look_at_it(writer: Writer, cast: Cast) -> None:
    prompt, other = await writer.prompt(), await writer.prompt()
    today = {"from_date": "2020-01-01T00:00:00Z", "to_date": "2040-01-01T00:00:00Z", "project_id": writer.project_id}
    path = f"/{prompt['prompt_name']}/traces"
    first = await writer.call("GET", path, params={**today, "limit": 10})
    assert (first["total_record"], first["total_pages"], len(first["items"])) == (25, 3, 10)
    flat = await writer.call("GET", path, params={**today, "flatten": True})
    assert flat["total_record"] == 75
    trace_id = first["items"][0]["trace_id"]
    whole = await writer.call("GET", f"{path}/{trace_id}", params={"project_id": writer.project_id})
    assert (whole["total_spans"], whole["spans"][1]["parent_span_id"]) == (3, whole["spans"][0]["span_id"])
    of_other = f"/{other['prompt_name']}/traces/{trace_id}"
    await writer.call("GET", of_other, 404, params={"project_id": writer.project_id})
    await writer.of(cast.other_admin).call("GET", path, 404, params=today)
    await writer.call("GET", path, 404, params={**today, "project_id": str(uuid4())})
    await writer.call("GET", path, 422, params={**today, "to_date": "2010-01-01T00:00:00Z"})


async def test_an_api_key_asks_for_the_calls_of_its_projects_prompts(writer: Writer, cast: Cast) -> None:
    prompt = await writer.prompt()
    key = (await make_key(writer.bench.http, writer.person, writer.project_id))["key"]
    project = await create(writer.bench.http, cast.manager, name=f"Other {uuid4().hex[:8]}")
    foreign = (await make_key(writer.bench.http, cast.manager, project["id"]))["key"]
    body = {"prompt_id": prompt["prompt_name"], "from_date": "2020-01-01T00:00:00Z", "limit": 5}

    async def ask(token: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await writer.bench.http.post("/prompts/telemetry/query", json=body, headers=headers)

    answer = await ask(key)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["total_record"], len(told["data"]), told["has_more"]) == (75, 5, True)
    assert (await ask(foreign)).status_code == 404
    assert (await ask(key[:-1] + ("0" if key[-1] != "0" else "1"))).status_code == 401
    assert (await writer.call("POST", "/telemetry/query", json=body))["total_record"] == 75
    await writer.of(cast.other_admin).call("POST", "/telemetry/query", 404, json=body)
