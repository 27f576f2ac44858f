"""Quantizing a model: a simulation by budsim, a cluster chosen, the work done by budcluster."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from budapp.cluster_ops.models import Cluster
from budapp.commons.domain import components_of
from budapp.events.relay import Relay
from budapp.quantization_ops.seeds import ensure_methods
from tests.cast import Cast, Person
from tests.peers.conftest import StandIn
from tests.projects.data import messages
from tests.waiting import until
from tests.workflows.conftest import Bench, Json
from tests.workflows.test_local_model import BAD_FAULTS
from tests.workflows.test_security_scan import added

PATH = "/models/quantize-model-workflow"
PRECISION = {"bit": 8, "granularity": "per_channel", "symmetric": True}


@dataclass
class Ground:
    bench: Bench
    model_id: str
    cluster_id: str
    budsim: StandIn
    budcluster: StandIn

    async def named(self, **fields: Any) -> str:
        """Take the first two steps, as the browser does."""
        fields = {"model_id": self.model_id, "quantized_model_name": "Tiny-8bit", "target_device": "CPU", **fields}
        fields = {"target_type": "INT8", **fields}
        first = await self.bench.post(PATH, step_number=1, workflow_total_steps=7, **fields)
        workflow_id = str(first["workflow_id"])
        await self.bench.post(PATH, step_number=2, workflow_id=workflow_id, method="RTN")
        return workflow_id

    async def simulate(self, workflow_id: str, status: int = 200) -> Json:
        fields = {"weight_config": PRECISION, "activation_config": PRECISION}
        return await self.bench.post(PATH, status, step_number=3, workflow_id=workflow_id, **fields)

    async def simulated(self) -> str:
        workflow_id = await self.named()
        await self.simulate(workflow_id)
        await self.at_step(workflow_id, 5)
        return workflow_id

    async def quantize(self, workflow_id: str, status: int = 200, cluster_id: str | None = None) -> Json:
        fields = {"cluster_id": cluster_id or self.cluster_id, "trigger_workflow": True}
        return await self.bench.post(PATH, status, step_number=5, workflow_id=workflow_id, **fields)

    async def at_step(self, workflow_id: str, number: int) -> Json:
        found: Json = {}

        async def is_there() -> bool:
            nonlocal found
            await self.bench.pump()
            found = await self.bench.get(workflow_id)
            return bool(found["current_step"] == number)

        await until(is_there)
        return found


async def enter_cluster(bench: Bench, owner: Person, status: str = "available") -> str:
    bud_id = uuid4()
    cluster = Cluster(
        id=uuid7(),
        tenant_id=owner.tenant_id,
        created_by=owner.id,
        name=f"Cluster {bud_id}",
        icon="icons/general/cluster.svg",
        status=status,
        cluster_id=bud_id,
    )
    async with bench.database.write() as session:
        session.add(cluster)
    return str(bud_id)


@pytest.fixture
async def ground(bench: Bench, stand_in: Callable[[str], StandIn], cast: Cast) -> AsyncIterator[Ground]:
    async with bench.database.write() as session:
        await ensure_methods(session, components_of(bench.app))
    budsim, budcluster = stand_in("budsim"), stand_in("budcluster")
    cluster_id = await enter_cluster(bench, cast.admin)
    await budcluster.http.post("/control/clusters", json={"id": cluster_id})
    yield Ground(bench, await added(bench, "Tiny-llama-1b"), cluster_id, budsim, budcluster)
    await budcluster.http.delete(f"/control/clusters/{cluster_id}")
    for peer in (budsim, budcluster):
        await peer.behave()


async def test_a_model_is_quantized_step_by_step(ground: Ground) -> None:
    bench = ground.bench
    workflow_id = await ground.named()
    simulating = await ground.simulate(workflow_id)
    assert simulating["current_step"] == 4
    assert len(simulating["workflow_steps"]["quantization_simulation_events"]["steps"]) == 3
    found = await ground.at_step(workflow_id, 5)
    steps = found["workflow_steps"]
    assert (found["status"], steps["bud_simulator_events"]["recommended_cluster_count"]) == ("in_progress", 1)
    assert {step["payload"]["content"]["status"] for step in steps["bud_simulator_events"]["steps"]} == {"COMPLETED"}
    assert steps["quantization_config"]["simulation_id"] == steps["simulator_id"]
    listed = (await bench.call("GET", "/workflows"))["workflows"][0]
    assert listed["progress"]["recommended_cluster_count"] == 1
    quantizing = await ground.quantize(workflow_id)
    assert quantizing["current_step"] == 6
    done = await bench.until(workflow_id, "completed")
    config = done["workflow_steps"]["quantization_config"]
    assert (done["current_step"], config["method"], config["weight_config"]) == (7, "RTN", PRECISION)
    assert (config["quantized_model"]["name"], config["quantization_data"]["device_type"]) == ("Tiny-8bit", "CPU")
    model = (await bench.call("GET", f"/models/{config['quantized_model_id']}"))["model"]
    original = await bench.call("GET", f"/models/{ground.model_id}")
    assert (model["base_model"], model["base_model_relation"]) == ([original["model"]["uri"]], "quantized")
    assert (model["family"], model["description"]) == (original["model"]["family"], original["model"]["description"])
    assert original["model_tree"]["quantizations_count"] == 1
    payloads = [body["payload"] for _, body in await messages(bench.database)]
    told = [(payload["type"], payload["content"]["message"]) for payload in payloads]
    assert told[1:] == [
        ("recommended_cluster_success", "Found Top 1 Clusters"),
        ("model_quantization_success", "Model Quantization Completed"),
    ]


async def test_each_service_is_asked_once_however_often_its_step_is_posted(ground: Ground) -> None:
    workflow_id = await ground.named()
    await asyncio.gather(*(ground.simulate(workflow_id) for _ in range(4)))
    await ground.at_step(workflow_id, 5)
    assert len(await ground.budsim.requests(workflow_id)) == 1
    await asyncio.gather(*(ground.quantize(workflow_id) for _ in range(4)))
    [attempt] = await ground.bench.sql("select correlation_id from workflow_attempt where task = 'deployment'")
    assert len(await ground.budcluster.requests(str(attempt[0]))) == 1
    await ground.bench.until(workflow_id, "completed")


async def test_the_cluster_cannot_be_chosen_before_the_simulation_has_ended(ground: Ground) -> None:
    workflow_id = await ground.named()
    await ground.budsim.does_wrong(workflow_id, silent_from="ranking")
    await ground.simulate(workflow_id)
    early = await ground.quantize(workflow_id, 400)
    assert early["message"] == "The workflow is already running"
    without = await ground.named(quantized_model_name="Other")
    missing = await ground.quantize(without, 400)
    assert "simulator_id" in missing["message"]


@pytest.mark.parametrize("step", ["validation", "performance_estimation", "ranking"])
async def test_a_simulation_that_fails_can_be_tried_again(ground: Ground, step: str) -> None:
    workflow_id = await ground.named()
    await ground.budsim.does_wrong(workflow_id, fail_at=step, times=1)
    await ground.simulate(workflow_id)
    assert (await ground.bench.until(workflow_id, "failed"))["reason"]
    await ground.bench.call("POST", f"/workflows/{workflow_id}/retry")
    found = await ground.at_step(workflow_id, 5)
    assert found["status"] == "in_progress"
    await ground.quantize(workflow_id)
    await ground.bench.until(workflow_id, "completed")


@pytest.mark.parametrize(
    "step",
    [
        *("verify_cluster_connection", "transfer_model_to_cluster", "deploy_quantization_job"),
        *("running_quantization", "run_evaluation"),
    ],
)
async def test_a_quantization_that_fails_can_be_tried_again(ground: Ground, step: str) -> None:
    workflow_id = await ground.simulated()
    await ground.budcluster.does_wrong(ground.cluster_id, fail_at=step, times=1)
    await ground.quantize(workflow_id)
    failed = await ground.bench.until(workflow_id, "failed")
    assert failed["reason"]
    assert await ground.bench.sql("select 1 from model where base_model_relation = 'quantized'") == []
    await ground.bench.call("POST", f"/workflows/{workflow_id}/retry")
    done = await ground.bench.until(workflow_id, "completed")
    assert done["current_step"] == 7


@pytest.mark.parametrize("fault", BAD_FAULTS, ids=str)
async def test_repeated_and_reordered_events_lead_to_the_same_end(ground: Ground, fault: Json) -> None:
    await ground.budcluster.does_wrong(ground.cluster_id, **fault)
    workflow_id = await ground.named()
    await ground.budsim.does_wrong(workflow_id, **fault)
    await ground.simulate(workflow_id)
    await ground.at_step(workflow_id, 5)
    await ground.quantize(workflow_id)
    await ground.bench.until(workflow_id, "completed")
    assert (await ground.bench.sql("select count(*) from model"))[0][0] == 2


async def test_cancelling_ends_the_work_at_the_service_and_takes_back_what_it_made(ground: Ground) -> None:
    bench = ground.bench
    workflow_id = await ground.simulated()
    await ground.budcluster.does_wrong(ground.cluster_id, event_delay_seconds=1)
    await ground.quantize(workflow_id)
    answer = await bench.post("/models/cancel-quantization", workflow_id=workflow_id)
    assert answer["object"] == "quantization.cancel"
    [(correlation, peer_id)] = await bench.sql(
        "select correlation_id, peer_workflow_id from workflow_attempt where task = 'deployment'"
    )
    assert (await bench.get(workflow_id))["status"] == "cancelled"
    await components_of(bench.app)[Relay].drain()

    async def has_ended() -> bool:
        return bool((await ground.budcluster.work(peer_id))["status"] == "TERMINATED")

    await until(has_ended)
    event = {**bench.seen[-1], "id": str(uuid4())}
    late = {"type": "deploy_quantization", "event": "results", "workflow_id": str(correlation)}
    event["payload"] = {**event["payload"], **late}
    event["payload"]["content"] = {"status": "COMPLETED", "result": {"model_path": "made_for_nothing"}}
    await bench.deliver(event)
    [deletion] = [row for row, _ in await messages(bench.database) if row.target == "budmodel"]
    assert (deletion.path or "").endswith("made_for_nothing")
    await bench.post("/models/cancel-quantization", 400, workflow_id=workflow_id)


async def test_only_ones_own_quantization_can_be_cancelled(ground: Ground, cast: Cast) -> None:
    bench = ground.bench
    workflow_id = await ground.named()
    other = await bench.http.post(
        "/models/cancel-quantization", json={"workflow_id": workflow_id}, headers=cast.other_admin.headers
    )
    assert other.status_code == 404
    await bench.post("/models/cancel-quantization", 404, workflow_id=await bench.draft())


async def test_what_cannot_be_is_named(ground: Ground, cast: Cast) -> None:
    bench = ground.bench
    cloudy = str(uuid4())
    begin = {"step_number": 1, "workflow_total_steps": 7}
    assert (await bench.post(PATH, 404, **begin, model_id=cloudy))["param"] == "model_id"
    taken = await bench.post(PATH, 409, **begin, quantized_model_name="TINY-LLAMA-1B")
    assert taken["message"] == "A model with this name already exists; choose another name"
    assert (await bench.post(PATH, 404, **begin, method="Magic"))["param"] == "method"
    assert (await bench.post(PATH, 400, **begin, method="AWQ", target_type="INT8"))["param"] == "target_type"
    assert (await bench.post(PATH, 400, **begin, method="AWQ", target_device="CPU"))["param"] == "target_device"
    odd = {**PRECISION, "bit": 3}
    assert (await bench.post(PATH, 422, **begin, weight_config=odd))["param"] == "weight_config.bit"
    foreign = await enter_cluster(bench, cast.other_admin)
    assert (await bench.post(PATH, 404, **begin, cluster_id=foreign))["param"] == "cluster_id"
    down = await enter_cluster(bench, cast.admin, "not_available")
    assert (await bench.post(PATH, 400, **begin, cluster_id=down))["message"] == "Cluster is not available"


async def test_clusters_of_others_are_not_counted(ground: Ground, cast: Cast) -> None:
    bench = ground.bench
    foreign = await enter_cluster(bench, cast.other_admin)
    await ground.budcluster.http.post("/control/clusters", json={"id": foreign})
    try:
        found = await bench.get(await ground.simulated())
    finally:
        await ground.budcluster.http.delete(f"/control/clusters/{foreign}")
    assert found["workflow_steps"]["bud_simulator_events"]["recommended_cluster_count"] == 1


async def test_a_cloud_model_is_not_quantized(ground: Ground) -> None:
    await ground.bench.sql("update model set provider_type = 'cloud_model'")
    refused = await ground.bench.post(PATH, 400, step_number=1, workflow_total_steps=7, model_id=ground.model_id)
    assert refused["message"] == "Only local models can be quantized"


async def test_methods_are_listed_and_searched(ground: Ground) -> None:
    found = await ground.bench.call("GET", "/models/quantization-methods")
    assert [method["name"] for method in found["quantization_methods"]] == ["AWQ", "GPTQ", "RTN", "SmoothQuant"]
    assert found["quantization_methods"][2]["method_type"] == ["INT8", "INT4"]
    searched = await ground.bench.call("GET", "/models/quantization-methods?name=q&search=true&limit=1")
    assert (searched["total_record"], searched["quantization_methods"][0]["name"]) == (3, "AWQ")


@pytest.mark.parametrize("task", ["simulation", "deployment"])
async def test_a_silent_service_fails_it_after_the_deadline_and_a_retry_goes_on(ground: Ground, task: str) -> None:
    bench = ground.bench
    workflow_id = await ground.named()
    peer, contains = (ground.budsim, workflow_id) if task == "simulation" else (ground.budcluster, ground.cluster_id)
    await peer.does_wrong(contains, silent_from="2", times=1)
    await ground.simulate(workflow_id)
    if task == "deployment":
        await ground.at_step(workflow_id, 5)
        await ground.quantize(workflow_id)
    await bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second' where state = 'running'")
    await bench.reconcile()
    failed = await bench.get(workflow_id)
    assert (failed["status"], "has not been heard of" in failed["reason"]) == ("failed", True)
    await bench.call("POST", f"/workflows/{workflow_id}/retry")
    if task == "simulation":
        await ground.at_step(workflow_id, 5)
        await ground.quantize(workflow_id)
    await bench.until(workflow_id, "completed")
    rows = await bench.sql("select task, state from workflow_attempt where state = 'failed'")
    assert [tuple(row) for row in rows] == [(task, "failed")]


async def calls_to_budcluster(bench: Bench) -> list[str]:
    return [row.path or "" for row, _ in await messages(bench.database) if row.target == "budcluster"]


async def test_a_service_that_falls_silent_is_told_to_stop(ground: Ground) -> None:
    bench, workflow_id = ground.bench, await ground.simulated()
    await ground.quantize(workflow_id)
    await bench.sql("update workflow_attempt set deadline_at = now() - interval '1 second' where task = 'deployment'")
    await bench.reconcile()
    assert (await bench.get(workflow_id))["status"] == "failed"
    [attempt] = await bench.sql("select peer_workflow_id from workflow_attempt where task = 'deployment'")
    assert await calls_to_budcluster(bench) == [f"deployment/cancel/{attempt[0]}"]


async def test_a_service_that_answers_after_the_cancellation_is_told_to_stop(ground: Ground) -> None:
    bench, workflow_id = ground.bench, await ground.simulated()
    await ground.budcluster.does_wrong(ground.cluster_id, delay_seconds=2, but_do_it=True, times=1)
    quantizing = asyncio.create_task(ground.quantize(workflow_id))

    async def is_asked() -> bool:
        return len(await ground.budcluster.requests(ground.cluster_id)) > 0

    await until(is_asked)
    await bench.call("DELETE", f"/workflows/{workflow_id}")
    assert await calls_to_budcluster(bench) == [], "nobody knows yet what to stop"
    await quantizing
    [attempt] = await bench.sql("select peer_workflow_id from workflow_attempt where task = 'deployment'")
    assert await calls_to_budcluster(bench) == [f"deployment/cancel/{attempt[0]}"]


async def test_each_step_that_is_told_of_gives_the_service_more_time(ground: Ground) -> None:
    bench, workflow_id = ground.bench, await ground.simulated()
    await ground.quantize(workflow_id)
    [correlation] = await bench.sql("select correlation_id from workflow_attempt where task = 'deployment'")
    told = [event["payload"] for event in await bench.until_told(4)]
    steps = [one for one in told if one["workflow_id"] == str(correlation[0]) and one["event"] != "eta"]
    await bench.sql("update workflow_attempt set deadline_at = now() + interval '1 second' where task = 'deployment'")
    event = {**bench.seen[-1], "id": str(uuid4()), "payload": steps[0]}
    await bench.deliver(event)
    question = "select deadline_at > now() + make_interval(mins => :minutes) from workflow_attempt where task = :task"
    minutes = int(bench.settings.workflow_silence_minutes) - 5
    [extended] = await bench.sql(question, minutes=minutes, task="deployment")
    assert extended[0]
