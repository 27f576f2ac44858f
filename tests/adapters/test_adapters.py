"""The adapters of a deployment: added, listed and deleted, at budcluster's engine too."""

from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from budapp.adapter_ops.models import Adapter
from budapp.commons.domain import components_of
from budapp.events.relay import Relay
from tests.cast import Cast
from tests.deployments.conftest import Ground, bench, environment, ground, stand_in
from tests.projects.data import add as put_in
from tests.projects.data import join, messages
from tests.stack import http_client
from tests.waiting import until
from tests.workflows.conftest import Json
from tests.workflows.test_local_model import BAD_FAULTS
from tests.workflows.test_security_scan import added

__all__ = ["bench", "environment", "ground", "stand_in"]

ADD = "/endpoints/add-adapter"


@pytest.fixture
async def endpoint(ground: Ground) -> Json:
    return await ground.deployed("base")


@pytest.fixture
async def lora(ground: Ground) -> str:
    return await added(ground.bench, "Tiny-llama-1b-lora")


async def draft(ground: Ground, endpoint: Json, model_id: str, status: int = 200) -> Json:
    body = {"endpoint_id": endpoint["id"], "adapter_model_id": model_id}
    return await ground.bench.post(ADD, status, step_number=1, workflow_total_steps=4, **body)


async def load(ground: Ground, workflow_id: str, name: str = "polite", status: int = 200) -> Json:
    body = {"step_number": 2, "workflow_id": workflow_id, "adapter_name": name, "trigger_workflow": True}
    return await ground.bench.post(ADD, status, **body)


async def loaded(ground: Ground, endpoint: Json, model_id: str, name: str = "polite") -> Json:
    workflow_id = (await draft(ground, endpoint, model_id))["workflow_id"]
    await load(ground, workflow_id, name)
    await ground.bench.until(workflow_id, "completed")
    return next(one for one in await adapters(ground, endpoint) if one["name"] == name)


async def adapters(ground: Ground, endpoint: Json, **query: object) -> list[Json]:
    answer = await ground.bench.call("GET", f"/endpoints/{endpoint['id']}/adapters", params=query)
    return list(answer["adapters"])


async def at_peer(ground: Ground) -> list[str]:
    return [name for one in await ground.running() for name in one["adapters"]]


async def unloaded(ground: Ground) -> None:
    await components_of(ground.bench.app)[Relay].drain()

    async def is_so() -> bool:
        return await at_peer(ground) == []

    await until(is_so)


async def test_an_adapter_is_added_answers_and_is_deleted(ground: Ground, endpoint: Json, lora: str) -> None:
    begun = await draft(ground, endpoint, lora)
    assert begun["workflow_steps"]["model"]["id"] == lora
    asked = await load(ground, begun["workflow_id"])
    assert len(asked["workflow_steps"]["adapter_deployment_events"]["steps"]) == 4
    assert asked["current_step"] == 3
    done = await ground.bench.until(begun["workflow_id"], "completed")
    [adapter] = await adapters(ground, endpoint)
    assert (adapter["name"], adapter["status"], adapter["model"]["id"]) == ("polite", "running", lora)
    assert done["workflow_steps"]["adapter_config"]["adapter_id"] == adapter["id"]
    assert await at_peer(ground) == [adapter["deployment_name"]]
    [request] = [one for one in await ground.budcluster.requests("deploy-adapter") if lora not in one["path"]][-1:]
    assert request["body"]["adapters"][0]["name"] == adapter["deployment_name"]
    question = {"model": adapter["deployment_name"], "messages": [{"role": "user", "content": "Hi"}]}
    async with http_client(endpoint["url"]) as model:
        answer = await model.post("/v1/chat/completions", json=question)
    assert adapter["deployment_name"] in answer.json()["choices"][0]["message"]["content"]
    assert await adapters(ground, endpoint, name="pol", search=True) == [adapter]
    assert await adapters(ground, endpoint, status="deleting") == []
    deleting = await ground.bench.call("POST", f"/endpoints/delete-adapter/{adapter['id']}")
    assert (await adapters(ground, endpoint))[0]["status"] == "deleting"
    await ground.bench.call("POST", f"/endpoints/delete-adapter/{adapter['id']}", 400)
    await ground.bench.until(deleting["workflow_id"], "completed")
    assert await adapters(ground, endpoint) == []
    assert await at_peer(ground) == []
    [request] = await ground.budcluster.requests(f'"adapter_id": "{adapter["id"]}"')
    assert request["body"]["adapters"] == []
    await ground.bench.call("POST", f"/endpoints/delete-adapter/{adapter['id']}", 404)
    told = [body["payload"]["type"] for _, body in await messages(ground.bench.database)]
    assert told[-2:] == ["adapter_deployment_success", "adapter_deletion_success"]
    assert (await loaded(ground, endpoint, lora))["name"] == "polite"


@pytest.mark.parametrize("step", ["transfer_adapter_to_cluster", "deploy_adapter", "adapter_status"])
async def test_an_adapter_that_fails_leaves_nothing_and_can_be_tried_again(
    ground: Ground, endpoint: Json, lora: str, step: str
) -> None:
    workflow_id = (await draft(ground, endpoint, lora))["workflow_id"]
    await ground.budcluster.does_wrong(f'"adapter_name": "{endpoint["namespace"]}-polite"', fail_at=step, times=1)
    await load(ground, workflow_id)
    assert (await ground.bench.until(workflow_id, "failed"))["reason"]
    await unloaded(ground)
    assert await adapters(ground, endpoint) == []
    await ground.bench.call("POST", f"/workflows/{workflow_id}/retry")
    await ground.bench.until(workflow_id, "completed")
    assert len(await adapters(ground, endpoint)) == 1


@pytest.mark.parametrize("fault", BAD_FAULTS, ids=str)
async def test_repeated_and_reordered_events_add_and_delete_once(
    ground: Ground, endpoint: Json, lora: str, fault: Json
) -> None:
    await ground.budcluster.does_wrong(f'"adapter_name": "{endpoint["namespace"]}-polite"', **fault)
    adapter = await loaded(ground, endpoint, lora)
    deleting = await ground.bench.call("POST", f"/endpoints/delete-adapter/{adapter['id']}")
    await ground.bench.until(deleting["workflow_id"], "completed")
    assert await adapters(ground, endpoint) == []
    assert await at_peer(ground) == []


async def test_a_name_that_is_gone_at_the_results_is_taken_back(ground: Ground, endpoint: Json, lora: str) -> None:
    other = await ground.deployed("other")
    workflow_id = (await draft(ground, endpoint, lora))["workflow_id"]
    await load(ground, workflow_id)
    await put_in(ground.bench.database, row(ground, other, "polite"))
    failed = await ground.bench.until(workflow_id, "failed")
    assert "name is taken" in failed["reason"]
    await unloaded(ground)


async def test_one_too_many_at_the_results_is_taken_back(ground: Ground, endpoint: Json, lora: str) -> None:
    workflow_id = (await draft(ground, endpoint, lora))["workflow_id"]
    await load(ground, workflow_id)
    await put_in(ground.bench.database, *(row(ground, endpoint, f"a{number}") for number in range(5)))
    failed = await ground.bench.until(workflow_id, "failed")
    assert "Maximum of 5" in failed["reason"]
    [undoing] = [body for row, body in await messages(ground.bench.database) if row.target == "budcluster"]
    assert (undoing["action"], undoing["adapter_name"]) == ("delete", f"{endpoint['namespace']}-polite")


async def test_there_are_at_most_five_and_each_once(ground: Ground, endpoint: Json, lora: str) -> None:
    await loaded(ground, endpoint, lora)
    assert (await draft(ground, endpoint, lora, 409))["param"] == "adapter_model_id"
    other = await added(ground.bench, "lora-Tiny-llama-1b")
    workflow_id = (await draft(ground, endpoint, other))["workflow_id"]
    assert (await load(ground, workflow_id, "POLITE", 409))["param"] == "adapter_name"
    assert (await load(ground, workflow_id, "base", 409))["param"] == "adapter_name"
    await put_in(ground.bench.database, *(row(ground, endpoint, f"a{number}") for number in range(4)))
    full = await load(ground, workflow_id, "sixth", 400)
    assert full["message"].startswith("Maximum of 5 adapters")
    assert (await draft(ground, endpoint, ground.model_id, 400))["param"] == "endpoint_id"


async def test_what_is_no_adapter_is_not_added_and_an_adapter_is_not_deployed(
    ground: Ground, endpoint: Json, lora: str
) -> None:
    assert (await draft(ground, endpoint, ground.model_id, 400))["param"] == "adapter_model_id"
    assert (await draft(ground, endpoint, str(uuid4()), 404))["param"] == "adapter_model_id"
    body = {"step_number": 1, "workflow_total_steps": 8, "project_id": ground.project_id, "model_id": lora}
    refused = await ground.bench.post("/models/deploy-workflow", 400, **body)
    assert refused["param"] == "model_id"


async def test_an_adapter_of_another_model_is_refused_and_one_of_its_origin_is_not(
    ground: Ground, endpoint: Json, lora: str
) -> None:
    other = await added(ground.bench, "Other-model-7b-lora")
    refused = await draft(ground, endpoint, other, 400)
    assert refused["param"] == "adapter_model_id"
    assert "made for acme/Other-model-7b" in refused["message"]
    await ground.bench.sql(
        "update model set uri = 'acme/Tuned', base_model = '{acme/Tiny-llama-1b}' where id = :id", id=ground.model_id
    )
    await draft(ground, endpoint, lora)


async def test_a_deletion_that_fails_leaves_the_adapter_as_it_was(ground: Ground, endpoint: Json, lora: str) -> None:
    adapter = await loaded(ground, endpoint, lora)
    path = f"/endpoints/delete-adapter/{adapter['id']}"
    await ground.budcluster.does_wrong(f'"adapter_id": "{adapter["id"]}"', status=500, times=1)
    await ground.bench.call("POST", path, 502)
    assert (await adapters(ground, endpoint))[0]["status"] == "running"
    await ground.budcluster.does_wrong(f'"adapter_id": "{adapter["id"]}"', fail_at="perform_delete_adapter", times=1)
    await ground.bench.until((await ground.bench.call("POST", path))["workflow_id"], "failed")
    assert (await adapters(ground, endpoint))[0]["status"] == "running"
    await ground.bench.until((await ground.bench.call("POST", path))["workflow_id"], "completed")


async def test_adapters_go_with_their_deployment(ground: Ground, endpoint: Json, lora: str) -> None:
    await loaded(ground, endpoint, lora)
    deletion = await ground.bench.call("POST", f"/endpoints/{endpoint['id']}/delete-workflow")
    await ground.bench.until(deletion["workflow_id"], "completed")
    assert [one[0] for one in await ground.bench.sql("select status from adapter")] == ["deleted"]


async def test_who_may_only_look_changes_nothing(ground: Ground, endpoint: Json, lora: str, cast: Cast) -> None:
    await join(ground.bench.database, ground.project_id, cast.tester)
    adapter = await loaded(ground, endpoint, lora)
    http, path = ground.bench.http, f"/endpoints/{endpoint['id']}/adapters"
    step: Json = {"step_number": 1, "workflow_total_steps": 4, "endpoint_id": endpoint["id"]}
    for person, status in ((cast.tester, 403), (cast.other_admin, 404), (cast.client, 404)):
        gone = await http.post(f"/endpoints/delete-adapter/{adapter['id']}", headers=person.headers)
        assert gone.status_code == status
        assert (await http.post(ADD, json=step, headers=person.headers)).status_code == status
        seen = await http.get(path, headers=person.headers)
        assert seen.status_code == (200 if person is cast.tester else 404)


def row(ground: Ground, endpoint: Json, name: str) -> Adapter:
    person = ground.bench.person
    about = {"name": name, "deployment_name": name, "status": "running", "model_id": uuid7()}
    return Adapter(
        id=uuid7(), tenant_id=person.tenant_id, created_by=person.id, endpoint_id=UUID(endpoint["id"]), **about
    )
