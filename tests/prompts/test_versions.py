import asyncio
from uuid import uuid4

import pytest

from tests.cast import Cast
from tests.prompts.conftest import Writer
from tests.waiting import until


async def test_versions_count_up_and_one_is_the_default(writer: Writer) -> None:
    prompt = await writer.prompt()
    second = await writer.version(prompt, system_prompt="Two")
    third = await writer.version(prompt, system_prompt="Three", set_as_default=True)
    assert (second["version"], third["version"]) == (2, 3)
    listed = (await writer.call("GET", f"/{prompt['id']}/versions"))["versions"]
    assert [(one["version"], one["is_default_version"]) for one in listed] == [(3, True), (2, False), (1, False)]
    assert listed[0]["endpoint_name"] == writer.endpoint.name
    detail = await writer.call("GET", f"/{prompt['id']}/versions/{second['id']}")
    assert detail["config_data"]["system_prompt"] == "Two"
    await writer.call("DELETE", f"/{prompt['id']}/versions/{third['id']}", 400)
    changed = await writer.call("PATCH", f"/{prompt['id']}", json={"default_version_id": second["id"]})
    assert changed["prompt"]["version"] == 2
    await writer.call("DELETE", f"/{prompt['id']}/versions/{third['id']}")
    await writer.call("GET", f"/{prompt['id']}/versions/{third['id']}", 404)
    await writer.drain()
    assert await writer.peer.requests(f"prompt-config/{prompt['prompt_name']}?version=3") != []
    assert (await writer.version(prompt))["version"] == 4


async def test_another_deployment_answers_a_version(writer: Writer, cast: Cast) -> None:
    prompt = await writer.prompt()
    path = f"/{prompt['id']}/versions/{prompt['default_version_id']}"
    changed = await writer.call("PATCH", path, json={"endpoint_id": str(writer.other_endpoint.id)})
    assert changed["version"]["endpoint"]["id"] == str(writer.other_endpoint.id)
    assert changed["version"]["model"]["id"] == str(writer.other_endpoint.model_id)
    await writer.call("PATCH", path, 404, json={"endpoint_id": str(uuid4())})
    await writer.call("PATCH", path, 422, json={})
    await writer.of(cast.other_admin).call("PATCH", path, 404, json={"set_as_default": True})


async def test_what_a_version_says_is_changed_for_good(writer: Writer) -> None:
    prompt = await writer.prompt()
    body = {"prompt_id": prompt["prompt_name"], "version": 1, "system_prompt": "Anew", "permanent": True}
    await writer.call("POST", "/prompt-config", json=body)
    detail = await writer.call("GET", f"/{prompt['id']}/versions/{prompt['default_version_id']}")
    assert detail["config_data"]["system_prompt"] == "Anew"
    await writer.call("POST", "/prompt-config", 404, json={**body, "version": 9})
    moved = {"prompt_id": prompt["prompt_name"], "deployment_name": writer.other_endpoint.name}
    await writer.call("POST", "/prompt-config", json=moved)
    data = (await writer.call("GET", f"/prompt-config/{prompt['prompt_name']}"))["data"]
    assert data["deployment_id"] == str(writer.other_endpoint.id)


async def test_two_versions_are_compared(writer: Writer, cast: Cast) -> None:
    prompt = await writer.prompt()
    await writer.version(
        prompt, system_prompt="You help.\nBe brief.", messages=[], endpoint_id=str(writer.other_endpoint.id)
    )
    told = await writer.call("GET", f"/{prompt['id']}/versions/compare", params={"from": 1, "to": 2})
    changes = {one["path"]: one for one in told["changes"]}
    assert (told["from"]["version"], told["to"]["version"]) == (1, 2)
    assert changes["system_prompt"]["kind"] == "changed"
    assert changes["system_prompt"]["lines"][-2:] == ["-Be kind.", "+Be brief."]
    assert changes["messages[0]"]["kind"] == "removed"
    assert changes["messages[0]"]["from"] == {"role": "user", "content": "Hello"}
    assert changes["deployment"]["to"] == writer.other_endpoint.name
    back = await writer.call("GET", f"/{prompt['id']}/versions/compare", params={"from": 2, "to": 1})
    [added] = [one for one in back["changes"] if one["path"] == "messages[0]"]
    assert (added["kind"], added["to"]) == ("added", {"role": "user", "content": "Hello"})
    same = await writer.call("GET", f"/{prompt['id']}/versions/compare", params={"from": 2, "to": 2})
    assert same["changes"] == []
    await writer.call("GET", f"/{prompt['id']}/versions/compare", 404, params={"from": 1, "to": 7})
    await writer.call("GET", f"/{prompt['id']}/versions/compare", 422, params={"from": 1})
    other = writer.of(cast.other_admin)
    await other.call("GET", f"/{prompt['id']}/versions/compare", 404, params={"from": 1, "to": 2})


FAULTS = [({"status": 500}, 502), ({"hang": True}, 503), ({"status": 404, "answer": {"message": "Gone"}}, 404)]


@pytest.mark.parametrize(("fault", "status"), FAULTS)
async def test_a_version_that_budprompt_does_not_copy_is_none(
    writer: Writer, fault: dict[str, object], status: int
) -> None:
    prompt = await writer.prompt()
    body = {"endpoint_id": str(writer.endpoint.id), "bud_prompt_id": await writer.draft()}
    await writer.peer.does_wrong(body["bud_prompt_id"], **fault)
    await writer.call("POST", f"/{prompt['id']}/versions", status, json=body)
    await writer.peer.behave()
    listed = (await writer.call("GET", f"/{prompt['id']}/versions"))["versions"]
    assert [one["version"] for one in listed] == [1]
    made = (await writer.call("POST", f"/{prompt['id']}/versions", json=body))["version"]
    assert made["version"] == 2


async def test_a_default_that_budprompt_does_not_take_stays_as_it_was(writer: Writer) -> None:
    prompt = await writer.prompt()
    second = await writer.version(prompt)
    await writer.peer.does_wrong("set-default-version", status=500)
    path = f"/{prompt['id']}/versions/{second['id']}"
    await writer.call("PATCH", path, 502, json={"set_as_default": True})
    await writer.peer.behave()
    assert (await writer.call("GET", f"/{prompt['id']}"))["prompt"]["version"] == 1


async def test_a_default_that_was_deleted_meanwhile_is_taken_back_at_budprompt(writer: Writer) -> None:
    prompt = await writer.prompt()
    second = await writer.version(prompt)
    path = f"/{prompt['id']}/versions/{second['id']}"
    await writer.peer.does_wrong(prompt["prompt_name"], delay_seconds=1, but_do_it=True, times=1)
    changing = asyncio.create_task(writer.call("PATCH", path, 409, json={"set_as_default": True}))

    async def told() -> list[int]:
        asked = await writer.peer.requests(prompt["prompt_name"])
        return [one["body"]["version"] for one in asked if one["path"].endswith("/set-default-version")]

    async def is_told() -> bool:
        return await told() == [2]

    async def is_told_again() -> bool:
        return await told() == [2, 1]

    await until(is_told)
    await writer.call("DELETE", path)
    await changing
    await until(is_told_again)


async def test_a_prompt_whose_draft_is_not_copied_can_be_tried_again(writer: Writer) -> None:
    name, draft = f"bot-{uuid4().hex[:8]}", await writer.draft()
    await writer.peer.does_wrong(name, status=500)
    refused = await writer.trigger(name, draft, 502)
    await writer.peer.behave()
    listed = (await writer.call("GET", "", params={"name": name}))["prompts"]
    assert listed == []
    body = {"step_number": 5, "workflow_id": refused["workflow_id"], "trigger_workflow": True}
    made = await writer.call("POST", "/prompt-workflow", json=body)
    assert made["status"] == "completed"
    assert (await writer.call("GET", f"/prompt-config/{name}"))["data"]["system_prompt"].startswith("You help")


async def test_a_prompt_that_is_given_up_gives_its_name_back(writer: Writer) -> None:
    name, draft = f"bot-{uuid4().hex[:8]}", await writer.draft()
    await writer.peer.does_wrong(name, status=500)
    refused = await writer.trigger(name, draft, 502)
    await writer.peer.behave()
    path = f"/workflows/{refused['workflow_id']}"
    answer = await writer.bench.http.delete(path, headers=writer.person.headers)
    assert answer.status_code == 200, answer.text
    made = await writer.trigger(name, draft)
    assert made["status"] == "completed"


@pytest.mark.parametrize(("fault", "status"), FAULTS)
async def test_each_answer_of_budprompts_is_an_honest_one(
    writer: Writer, fault: dict[str, object], status: int
) -> None:
    draft = await writer.draft()
    await writer.peer.does_wrong(draft, **fault)
    await writer.call("GET", f"/prompt-config/{draft}", status)
    await writer.call("POST", "/prompt-config", status, json={"prompt_id": draft, "stream": True})
