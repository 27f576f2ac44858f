"""Deploying a model that has files of its own: a simulation, a cluster chosen, the work done by budcluster."""

from decimal import Decimal

from tests.cast import Cast
from tests.deployments.conftest import Ground
from tests.projects.data import messages
from tests.stack import http_client
from tests.workflows.test_security_scan import added


async def test_a_model_is_deployed_step_by_step_and_answers_at_its_url(ground: Ground) -> None:
    bench = ground.bench
    workflow_id = await ground.named("chat-one")
    simulating = await bench.get(workflow_id)
    assert (simulating["current_step"], simulating["status"]) == (5, "in_progress")
    assert len(simulating["workflow_steps"]["bud_simulator_events"]["steps"]) == 3
    found = await ground.at_step(workflow_id, 6)
    steps = found["workflow_steps"]
    assert steps["bud_simulator_events"]["recommended_cluster_count"] == 1
    [offer] = (await bench.call("GET", f"/clusters/recommended/{workflow_id}"))["clusters"]
    assert offer["cluster_id"] == ground.cluster_id
    assert (offer["total_resources"], offer["resources_used"]) == (8, 2)
    assert offer["benchmarks"]["ttft"]["label"] == "Better"
    assert offer["benchmarks"]["concurrency"] == {"label": "Expected", "value": 10}
    deploying = await ground.deploy(workflow_id)
    assert deploying["current_step"] == 9
    done = await bench.until(workflow_id, "completed")
    [endpoint] = await ground.endpoints()
    assert (endpoint["name"], endpoint["status"], endpoint["project_id"]) == ("chat-one", "running", ground.project_id)
    assert (endpoint["total_replicas"], endpoint["active_replicas"]) == (2, 2)
    assert endpoint["deployment_config"]["engine_configs"]["tool_calling_parser_type"] == "hermes"
    assert endpoint["deployment_config"]["budaiscaler"]["minReplicas"] == 2
    cost = endpoint["inference_cost"]
    per_token = Decimal(cost["input_cost_per_token"]) + Decimal(cost["output_cost_per_token"])
    assert per_token * 1_000_000 == Decimal(str(offer["cost_per_token"]))
    assert {"/v1/chat/completions", "/v1/embeddings"} <= set(endpoint["supported_endpoints"])
    assert done["workflow_steps"]["endpoint"] == {"id": endpoint["id"], "name": "chat-one"}
    targets = done["workflow_steps"]["endpoint_details"]["result"]
    names = ("target_ttft", "target_throughput_per_user", "target_e2e_latency")
    assert [targets[name] for name in names] == [500, 20, 5], "the harder end of each range"
    told = [body["payload"]["type"] for _, body in await messages(bench.database)]
    assert told[1:] == ["recommended_cluster_success", "deployment_success"]
    async with http_client(endpoint["url"]) as model:
        question = {"model": "chat-one", "messages": [{"role": "user", "content": "Good morning"}]}
        answer = (await model.post("/v1/chat/completions", json=question)).json()
        assert answer["choices"][0]["message"]["content"].endswith("Good morning")
        streamed = await model.post("/v1/chat/completions", json={**question, "stream": True})
        assert streamed.text.rstrip().endswith("data: [DONE]")
        vectors = (await model.post("/v1/embeddings", json={"model": "chat-one", "input": ["a", "b"]})).json()
        assert len(vectors["data"]) == 2
        assert (await model.get("/v1/models")).json()["data"][0]["id"] == "chat-one"


async def test_a_quantized_model_is_deployed_with_its_own_files(ground: Ground) -> None:
    ground.model_id = await added(ground.bench, "Tiny-llama-1b-int8")
    shown = (await ground.bench.call("GET", f"/models/{ground.model_id}"))["model"]
    assert shown["base_model_relation"] == "quantized"
    endpoint = await ground.deployed()
    assert endpoint["model_id"] == ground.model_id
    [attempt] = await ground.bench.sql("select correlation_id from workflow_attempt where task = 'deployment'")
    [request] = await ground.budcluster.requests(str(attempt[0]))
    assert shown["local_path"] in request["body"]["model"]


async def test_a_deployment_stores_its_data_as_the_clusters_settings_say(ground: Ground, cast: Cast) -> None:
    bench = ground.bench
    [(cluster_id,)] = await bench.sql("select id from cluster")
    chosen = {"default_storage_class": "fast-ssd", "default_access_mode": "ReadWriteMany"}
    answer = await bench.http.post(f"/clusters/{cluster_id}/settings", json=chosen, headers=cast.admin.headers)
    assert answer.status_code == 201, answer.text
    await ground.deployed()
    [attempt] = await bench.sql("select correlation_id from workflow_attempt where task = 'deployment'")
    [request] = await ground.budcluster.requests(str(attempt[0]))
    assert chosen.items() <= request["body"].items()
