"""Adding a model of a cloud: done with the step that triggers it."""

import asyncio
from typing import Any

import pytest

from budapp.integrations.dapr import DaprClient
from tests.cast import Cast
from tests.projects.data import messages
from tests.workflows.conftest import CLOUD, Bench

TAGS = [{"name": "mine", "color": "#3F8EF7"}]


async def offered(bench: Bench, name: str = "gpt-4o", source: str = "openai") -> dict[str, Any]:
    found = await bench.call("GET", f"/models/?name={name}&source={source}")
    model: dict[str, Any] = found["models"][0]["model"]
    return model


async def draft(bench: Bench, offer: dict[str, Any]) -> str:
    """Take the steps as the browser does: it begins with the second."""
    keywords = ["llm", "mllm"]
    body: dict[str, Any] = {"provider_type": "cloud_model", "add_model_modality": keywords}
    first = await bench.post(CLOUD, step_number=2, workflow_total_steps=5, **body)
    workflow_id = str(first["workflow_id"])
    await bench.post(CLOUD, step_number=3, workflow_id=workflow_id, provider_id=offer["provider"]["id"])
    chosen = await bench.post(CLOUD, step_number=4, workflow_id=workflow_id, cloud_model_id=offer["id"])
    assert chosen["workflow_steps"]["provider"]["name"] == offer["provider"]["name"]
    assert chosen["workflow_steps"]["cloud_model"]["name"] == offer["name"]
    return workflow_id


async def finish(bench: Bench, workflow_id: str, name: str, status: int = 200) -> dict[str, Any]:
    body = {"name": name, "tags": TAGS, "modality": {"text": {"input": True, "output": True, "label": "Text"}}}
    return await bench.post(CLOUD, status, step_number=5, workflow_id=workflow_id, trigger_workflow=True, **body)


async def test_a_cloud_model_is_there_when_the_last_step_is_answered(bench: Bench) -> None:
    offer = await offered(bench)
    assert not offer["is_present_in_model"]
    workflow_id = await draft(bench, offer)
    listed = await bench.call("GET", "/workflows?order_by=-modified_at")
    assert [(row["id"], row["title"], row["current_step"]) for row in listed["workflows"]] == [
        (workflow_id, "gpt-4o", 4)
    ]
    done = await finish(bench, workflow_id, "My GPT")
    assert (done["status"], done["workflow_steps"]["workflow_execution_status"]["status"]) == ("completed", "success")
    model = (await bench.call("GET", f"/models/{done['workflow_steps']['model_id']}"))["model"]
    assert (model["name"], model["uri"], model["source"]) == ("My GPT", "openai/gpt-4o", "openai")
    assert model["strengths"], "what budmodel knows is added"
    assert (await offered(bench))["is_present_in_model"]
    told = [payload["payload"]["type"] for _, payload in await messages(bench.database)]
    assert told == ["model_onboarding_success"]


async def test_it_is_added_without_budmodel_too(bench: Bench) -> None:
    offer = await offered(bench, "claude-3-5-haiku", "anthropic")
    await bench.peer.does_wrong(offer["uri"], status=500)
    done = await finish(bench, await draft(bench, offer), "My Claude")
    assert done["status"] == "completed"
    assert done["workflow_steps"]["model"]["author"] == "anthropic"


async def test_two_at_once_add_one_model(bench: Bench) -> None:
    offer = await offered(bench)
    first, second = await draft(bench, offer), await draft(bench, offer)
    both = await asyncio.gather(
        *(bench.http.post(CLOUD, json=last(each, name), headers=bench.person.headers) for each, name in
          ((first, "One"), (first, "One"), (second, "Two")))
    )  # fmt: skip
    assert {answer.status_code for answer in both} <= {200, 400}
    assert (await bench.sql("select count(*) from model"))[0][0] == 1
    states = {(await bench.get(each))["status"] for each in (first, second)}
    assert "completed" in states


def last(workflow_id: str, name: str) -> dict[str, Any]:
    return {"step_number": 5, "workflow_id": workflow_id, "trigger_workflow": True, "name": name, "tags": TAGS}


async def test_a_model_that_the_tenant_has_is_refused_and_another_tenant_may_add_it(bench: Bench, cast: Cast) -> None:
    offer = await offered(bench)
    await finish(bench, await draft(bench, offer), "My GPT")
    again = await bench.post(CLOUD, step_number=2, workflow_total_steps=5, provider_type="cloud_model")
    workflow_id = again["workflow_id"]
    await bench.post(CLOUD, step_number=3, workflow_id=workflow_id, provider_id=offer["provider"]["id"])
    refused = await bench.post(CLOUD, 409, step_number=4, workflow_id=workflow_id, cloud_model_id=offer["id"])
    assert refused["param"] == "cloud_model_id"
    bench.person = cast.other_developer
    assert not (await offered(bench))["is_present_in_model"]
    done = await finish(bench, await draft(bench, offer), "My GPT")
    assert done["status"] == "completed"


async def test_missing_data_is_named(bench: Bench) -> None:
    body: dict[str, Any] = {"step_number": 2, "workflow_total_steps": 5, "provider_type": "cloud_model"}
    workflow_id = (await bench.post(CLOUD, **body))["workflow_id"]
    body = {"step_number": 5, "workflow_id": workflow_id, "trigger_workflow": True, "name": "x"}
    refused = await bench.post(CLOUD, 400, **body)
    assert refused["message"] == "Missing required data: provider_id, tags, source"
    await bench.post(CLOUD, 422, step_number=3, workflow_id=workflow_id)


async def test_a_process_that_dies_while_it_adds_is_made_good(bench: Bench, monkeypatch: Any) -> None:
    workflow_id = await draft(bench, await offered(bench))

    async def dies(*_arguments: Any, **_options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DaprClient, "invoke", dies)
        with pytest.raises(KeyboardInterrupt):
            await finish(bench, workflow_id, "My GPT")
    await bench.sql("update workflow_attempt set lease_expires_at = now() - interval '1 second'")
    await bench.reconcile()
    done = await bench.get(workflow_id)
    assert done["status"] == "completed"
    assert done["workflow_steps"]["model"]["name"] == "My GPT"


async def test_an_offer_of_another_provider_is_not_found(bench: Bench) -> None:
    offer = await offered(bench)
    providers = (await bench.call("GET", "/models/providers", params={"limit": 100}))["providers"]
    other = next(one["id"] for one in providers if one["id"] != offer["provider"]["id"])
    body = {"provider_type": "cloud_model", "provider_id": other, "cloud_model_id": offer["id"]}
    refused = await bench.post(CLOUD, 404, step_number=1, workflow_total_steps=5, **body)
    assert refused["param"] == "cloud_model_id"
