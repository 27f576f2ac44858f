"""What the stand-ins of other services have budapp do, or tell it, through both sidecars of the running stack."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.frontend.conftest import open_window, window
from tests.frontend.test_walk import created, fresh, hub_model, onboarded
from tests.frontend.window import Json, Window
from tests.peers.conftest import StandIn, environment, stand_in
from tests.waiting import until

__all__ = ["environment", "open_window", "stand_in", "window"]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def administrator(environment: dict[str, str]) -> tuple[str, str]:
    """The stack's first administrator: nothing here depends on what else they have."""
    return environment["SUPER_USER_EMAIL"], environment["SUPER_USER_PASSWORD"]


@pytest.fixture
async def peer(stand_in: Callable[[str], StandIn]) -> AsyncIterator[Callable[[str], StandIn]]:
    """Returns the stand-in of a name, which does nothing wrong after the test."""
    used: list[StandIn] = []

    def named(name: str) -> StandIn:
        used.append(stand_in(name))
        return used[-1]

    yield named
    for one in used:
        await one.behave()


def dag(*steps: Json) -> Json:
    """Return a pipeline whose steps follow each other; each is `action` and its parameters."""
    made, before = [], ""
    for number, step in enumerate(steps, 1):
        name = f"step-{number}"
        about = {"id": name, "name": f"Step {number}", "depends_on": [before] if before else []}
        made.append(
            {
                **about,
                "action": step["action"],
                "params": {name: value for name, value in step.items() if name != "action"},
            }
        )
        before = name
    return {"name": fresh("Pipeline"), "version": "1.0", "parameters": [], "steps": made, "outputs": {}}


async def executed(window: Window, *steps: Json, **params: Any) -> Json:
    """Keep a pipeline, execute it, and return how it went."""
    kept = await window.post("/budpipeline", {"dag": dag(*steps)})
    begun = await window.post(f"/budpipeline/{kept['id']}/execute", {"params": params})
    found: Json = {}

    async def over() -> bool:
        found.update(await window.get(f"/budpipeline/executions/{begun['execution_id']}/progress"))
        return found["execution"]["status"] not in {"PENDING", "RUNNING"}

    await until(over, seen=lambda: found)
    return found


async def deployed(window: Window) -> tuple[Json, Json]:
    """Have a pipeline bring a model in and deploy it; return what the steps have put out."""
    project, cluster = await created(window), await onboarded(window)
    name, endpoint = f"Tiny-llama-{uuid4().hex[:8]}-1b", f"piped-{uuid4().hex[:8]}"
    add = {"action": "model_add", "model_uri": "acme/{{ params.model }}", "model_name": "{{ params.model }}"}
    model, load = {"model_id": "{{ steps.step-1.outputs.model_id }}"}, {"concurrent_requests": 5}
    where = {"project_id": project["id"], "cluster_id": cluster["id"], "endpoint_name": endpoint}
    deploy = {"action": "deployment_create", **model, **where, "deploy_config": load}
    over = await executed(window, add, deploy, model=name)
    assert over["execution"]["status"] == "COMPLETED", over
    outputs = over["execution"]["outputs"]
    return outputs["step-1"], {**outputs["step-2"], "name": endpoint, "project_id": project["id"]}


async def endpoints(window: Window, project_id: str) -> list[Json]:
    found = await window.send("GET", "/endpoints/", query={"project_id": project_id})
    return list(found["endpoints"])


async def test_a_pipeline_brings_a_model_in_deploys_it_and_takes_it_down(window: Window) -> None:
    model, made = await deployed(window)
    shown = (await window.get(f"/models/{model['model_id']}"))["model"]
    assert (shown["name"], shown["provider_type"]) == (model["model_name"], "hugging_face")
    [endpoint] = await endpoints(window, made["project_id"])
    assert (endpoint["id"], endpoint["name"], endpoint["status"]) == (made["endpoint_id"], made["name"], "running")
    there = {"endpoint_id": endpoint["id"]}
    scaler = {"enabled": True, "minReplicas": 1, "maxReplicas": 3}
    over = await executed(
        window,
        {"action": "deployment_ratelimit", **there, "requests_per_minute": 60},
        {"action": "deployment_autoscale", **there, "budaiscaler_specification": scaler},
        {"action": "deployment_delete", **there},
        {"action": "model_delete", "model_id": model["model_id"]},
    )
    assert over["execution"]["status"] == "COMPLETED", over
    assert await endpoints(window, made["project_id"]) == []
    assert (await window.get("/models/", name=model["model_name"]))["models"] == []
    assert window.toasts == []


async def test_work_that_fails_fails_the_step_with_its_reason(window: Window, peer: Callable[[str], StandIn]) -> None:
    name = f"Tiny-llama-{uuid4().hex[:8]}-1b"
    await peer("budmodel").does_wrong(name, fail_at="model_download", message="The disk is full")
    add = {"action": "model_add", "model_uri": f"acme/{name}", "model_name": name}
    after = {"action": "model_delete", "model_id": "{{ steps.step-1.outputs.model_id }}"}
    over = await executed(window, add, after)
    first, second = over["steps"]
    assert (first["status"], second["status"], over["execution"]["status"]) == ("FAILED", "PENDING", "FAILED")
    assert "The disk is full" in first["error"]
    assert over["execution"]["error"] == first["error"]


async def test_what_budapp_refuses_fails_the_step_with_its_words(window: Window) -> None:
    over = await executed(window, {"action": "model_delete", "model_id": str(uuid4())})
    assert over["execution"]["error"] == "Model not found"


async def test_the_requests_of_a_benchmark_can_be_analysed(window: Window) -> None:
    model = await hub_model(window, f"Tiny-llama-{uuid4().hex[:8]}-1b")
    cluster = await onboarded(window)
    where = {"model_id": model["id"], "cluster_id": cluster["id"], "hostnames": ["node-1"]}
    over = await executed(window, {"action": "model_benchmark", **where, "name": fresh("Speed"), "num_prompts": 30})
    assert over["execution"]["status"] == "COMPLETED", over
    [benchmark] = (await window.get("/benchmark", model_name=model["name"], page=1, limit=10))["benchmarks"]
    shown = await window.get("/benchmark/request-metrics", benchmark_id=benchmark["id"], limit=100)
    assert shown["total_items"] == 30
    assert all(0 < row["ttft"] < row["latency"] and row["prompt_len"] <= 1024 for row in shown["items"])
    pair = {"field1": "prompt_len", "field2": "ttft"}
    path = f"/benchmark/{benchmark['id']}/analysis/field1_vs_field2"
    analysed = await window.send("POST", path, query=pair)
    assert len(analysed["param"]["result"]) == 30
    await window.delete(f"/models/{model['id']}")
    assert window.toasts == []


async def test_an_evaluation_tells_how_long_it_still_takes(window: Window, peer: Callable[[str], StandIn]) -> None:
    _, made = await deployed(window)
    about = {"name": fresh("Which is better"), "description": "Which is better", "project_id": made["project_id"]}
    experiment = await window.post("/experiments/", about)
    await peer("budeval").does_wrong(experiment["id"], event_delay_seconds=0.2)
    path, name = f"/experiments/{experiment['id']}/evaluations/workflow", fresh("First")
    trait = (await window.get("/experiments/traits"))["traits"][0]
    datasets = (await window.get("/experiments/datasets", trait_ids=trait["id"]))["datasets"]
    said: list[Json] = [
        {"name": name},
        {"endpoint_id": made["endpoint_id"]},
        {"trait_ids": [trait["id"]]},
        {"dataset_ids": [datasets[0]["id"]]},
        {},
    ]
    begun: Json = {"workflow_total_steps": 5}
    for number, stage_data in enumerate(said, 1):
        body = {"step_number": number, "trigger_workflow": number == len(said), "stage_data": stage_data, **begun}
        begun = {"workflow_id": (await window.post(path, body))["workflow_id"]}
    seen: list[int | None] = []

    async def is_done() -> bool:
        shown = await window.get("/experiments/evaluations/all", endpoint_id=made["endpoint_id"])
        found = shown["evaluations"][0]
        if found["eta_seconds"] not in seen:
            seen.append(found["eta_seconds"])
        return bool(found["status"] == "completed")

    await until(is_done, seen=lambda: seen)
    told = [one for one in seen if one is not None]
    assert len(told) > 2, seen
    assert told == sorted(told, reverse=True)
    assert told[-1] == 0
