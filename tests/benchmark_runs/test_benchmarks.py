"""Measuring models: the flow with budcluster, and what is made of the requests that it tells of."""

import csv
import io
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from uuid_utils.compat import uuid7

from budapp.benchmark_ops.models import Benchmark
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.dataset_ops.models import BenchmarkDataset
from tests.benchmark_runs.surface import FORM
from tests.cast import Cast
from tests.clusters.conftest import Site, bench, environment, site, stand_in
from tests.workflows.conftest import Bench, Json
from tests.workflows.test_security_scan import added

__all__ = ["bench", "environment", "site", "stand_in"]

RUN = "/benchmark/run-workflow"
NODES = [{"hostname": "node-1", "hardware_info": [{"type": "cuda", "vendor": "NVIDIA"}]}]
LIMITS: Json = {"max_input_tokens": "256", "max_output_tokens": "64"}


class Runs:
    """A place to measure models: a cluster, and a model with files."""

    def __init__(self, site: Site, cluster: Json, model_id: str) -> None:
        self.bench: Bench = site.bench
        self.site, self.cluster, self.model_id = site, cluster, model_id

    async def post(self, status: int = 200, **fields: Any) -> Json:
        return await self.bench.post(RUN, status, **{**FORM, **fields})

    async def run(self, status: int = 200, **fields: Any) -> Json:
        """Post everything in one step."""
        about = {"model_id": self.model_id, "cluster_id": self.cluster["id"], "nodes": NODES, **LIMITS}
        steps = {"step_number": 1, "workflow_total_steps": 1, "trigger_workflow": True}
        return await self.post(status, **{**steps, **about, "selected_device_type": "cuda", **fields})

    async def done(self, status: str = "completed", **fields: Any) -> Json:
        return await self.bench.until((await self.run(**fields))["workflow_id"], status)

    async def get(self, path: str, expected: int = 200, **query: Any) -> Json:
        return await self.bench.call("GET", f"/benchmark{path}", expected, params=query)

    async def only(self) -> Json:
        [found] = (await self.get(""))["benchmarks"]
        return dict(found)


@pytest.fixture
async def runs(site: Site) -> Runs:
    cluster = await site.onboarded()
    model_id = await added(site.bench, "Tiny-llama-1b")
    return Runs(site, cluster, model_id)


async def test_a_model_is_measured_and_the_result_is_shown(runs: Runs) -> None:
    done = await runs.done()
    benchmark_id = done["workflow_steps"]["benchmark_id"]
    listed = await runs.only()
    assert (listed["id"], listed["status"], listed["concurrency"]) == (benchmark_id, "success", 10)
    assert (listed["node_type"], listed["vendor_type"]) == ("cuda", "NVIDIA")
    assert (listed["model"]["name"], listed["cluster"]["name"]) == ("Tiny-llama-1b", runs.cluster["name"])
    result = (await runs.get("/result", benchmark_id=benchmark_id))["param"]["result"]
    assert (result["mean_ttft_ms"], result["mean_tpot_ms"]) == (listed["ttft"], listed["tpot"])
    detail = (await runs.get(f"/{benchmark_id}/model-cluster-detail"))["result"]
    assert (detail["tags"], detail["max_input_tokens"], detail["dataset_names"]) == (FORM["tags"], 256, [])
    assert detail["deployment_config"]["selected_device_type"] == "cuda"
    for filters in ({"status": "failed"}, {"min_ttft": listed["ttft"] + 1}, {"model_name": "x", "search": True}):
        assert (await runs.get("", **filters))["total_record"] == 0
    assert (await runs.get("", max_ttft=listed["ttft"], cluster_name=runs.cluster["name"]))["total_record"] == 1
    assert (await runs.get("/filters", resource="model"))["result"] == ["Tiny-llama-1b"]
    assert (await runs.get("/filters", resource="cluster", cluster_name="x"))["result"] == []


async def test_what_the_first_step_says_every_step_says(runs: Runs) -> None:
    first = await runs.post(step_number=1, workflow_total_steps=9)
    await runs.bench.post(RUN, 422, step_number=2, workflow_id=first["workflow_id"], **LIMITS)
    await runs.post(step_number=2, workflow_id=first["workflow_id"], **LIMITS)
    last = await runs.post(400, step_number=9, workflow_id=first["workflow_id"], trigger_workflow=True)
    assert "cluster_id, model_id, nodes" in last["message"]
    assert (await runs.get(""))["total_record"] == 0


@pytest.mark.parametrize("fields", [{"model_id": str(uuid4())}, {"cluster_id": str(uuid4())}])
async def test_what_is_not_there_is_404(runs: Runs, fields: Json) -> None:
    await runs.run(404, **fields)
    await runs.run(404, eval_with="dataset", datasets=[str(uuid4())])


async def test_a_model_of_a_cloud_is_measured_with_a_credential(runs: Runs) -> None:
    await runs.bench.sql("update model set provider_type = 'cloud_model'")
    assert "credential_id" in (await runs.run(400))["message"]
    assert (await runs.get(""))["total_record"] == 0


async def test_a_run_that_fails_is_failed_with_its_reason(runs: Runs) -> None:
    await runs.site.budcluster.does_wrong("slow and sad", fail_at="deploy_to_engine", message="Out of memory")
    failed = await runs.done("failed", description="slow and sad")
    listed = await runs.only()
    assert (failed["reason"], listed["status"]) == ("Out of memory", "failed")
    detail = (await runs.get(f"/{listed['id']}/model-cluster-detail"))["result"]
    assert detail["reason"] == "Out of memory"
    assert "failed" in (await runs.get("/result", 400, benchmark_id=listed["id"]))["message"]


async def test_a_run_is_cancelled_at_budcluster_too(runs: Runs) -> None:
    await runs.site.budcluster.does_wrong("forever", silent_from="2")
    started = await runs.run(description="forever")
    await runs.bench.call("POST", "/benchmark/cancel", json={"workflow_id": started["workflow_id"]})
    assert (await runs.only())["status"] == "cancelled"
    await runs.bench.call("POST", "/benchmark/cancel", 400, json={"workflow_id": started["workflow_id"]})
    await runs.bench.call("POST", "/benchmark/cancel", 404, json={"workflow_id": str(uuid4())})


async def test_a_budcluster_that_refuses_leaves_nothing_running(runs: Runs) -> None:
    await runs.site.budcluster.does_wrong("refused", status=400)
    await runs.run(400, description="refused")
    assert (await runs.only())["status"] == "failed"


async def test_budsim_says_how_a_model_is_spread(runs: Runs) -> None:
    body = {"model_id": runs.model_id, "cluster_id": runs.cluster["id"], "hostnames": ["node-1"]}
    found = await runs.bench.call("POST", "/benchmark/node-configurations", json=body)
    assert (found["cluster_id"], found["selected_nodes"]) == (runs.cluster["id"], ["node-1"])
    assert found["model_info"]["model_name"] == "Tiny-llama-1b"
    assert found["device_configurations"][0]["tp_pp_options"]
    for name in ("model_id", "cluster_id"):
        await runs.bench.call("POST", "/benchmark/node-configurations", 404, json={**body, name: str(uuid4())})
    await runs.bench.sql("update cluster set cluster_id = null where id = :id", id=runs.cluster["id"])
    refused = await runs.bench.call("POST", "/benchmark/node-configurations", 400, json=body)
    assert refused["param"] == "cluster_id"


@pytest.fixture
async def benchmark_id(runs: Runs, database: Database, cast: Cast) -> str:
    about = {"model_id": uuid4(), "cluster_id": runs.cluster["id"], "concurrency": 1, "name": "Rows"}
    mine = {"tenant_id": cast.tenant_id, "created_by": cast.manager.id}
    row = Benchmark(id=uuid7(), description="", eval_with="configuration", **about, **mine)
    async with database.write() as session:
        session.add(row)
    return str(row.id)


def rows(benchmark_id: str, count: int, **fields: Any) -> list[Json]:
    return [
        {
            "benchmark_id": benchmark_id,
            "prompt_len": number,
            "output_len": 10,
            "ttft": number / 10,
            "tpot": 0.01,
            "latency": 1,
            "itl": [0.1, 0.2],
            **fields,
        }
        for number in range(count)
    ]


async def ingest(runs: Runs, metrics: list[Json], status: int = 200) -> None:
    settings = components_of(runs.bench.app)[Settings]
    headers = {"dapr-api-token": settings.app_api_token.get_secret_value()}
    answer = await runs.bench.http.post(
        "/benchmark/request-metrics", json={"metrics": metrics}, headers=headers, timeout=60
    )
    assert answer.status_code == status, answer.text


async def test_ten_thousand_requests_come_in_at_once(runs: Runs, benchmark_id: str) -> None:
    started = time.monotonic()
    await ingest(runs, rows(benchmark_id, 10_000))
    assert time.monotonic() - started < 30
    found = await runs.get("/request-metrics", benchmark_id=benchmark_id, limit=3, page=2)
    assert (found["total_items"], [one["prompt_len"] for one in found["items"]]) == (10_000, [3, 4, 5])
    assert found["items"][0]["itl_sum"] == pytest.approx(0.3)
    await ingest(runs, rows(benchmark_id, 10_001), 422)


async def test_all_rows_are_kept_or_none(runs: Runs, benchmark_id: str, client: httpx.AsyncClient, cast: Cast) -> None:
    await ingest(runs, [*rows(benchmark_id, 2), *rows(str(uuid4()), 1)], 404)
    await ingest(runs, rows(benchmark_id, 1, dataset_id=str(uuid4())), 404)
    assert (await runs.get("/request-metrics", benchmark_id=benchmark_id))["total_items"] == 0
    body = {"metrics": rows(benchmark_id, 1, error="=cmd|' /C calc'!A0", success=False)}
    path = "/benchmark/add-request-metrics"
    assert (await client.post(path, json=body, headers=cast.other_admin.headers)).status_code == 404
    assert (await client.post(path, json=body)).status_code == 401
    assert (await client.post("/benchmark/request-metrics", json=body)).status_code == 403
    kept = await client.post(path, json=body, headers=cast.manager.headers)
    assert (kept.status_code, kept.json()["count"]) == (200, 1)
    exported = await client.get(f"/benchmark/{benchmark_id}/request-metrics/export", headers=cast.manager.headers)
    [head, line] = csv.reader(io.StringIO(exported.text))
    assert dict(zip(head, line, strict=True))["error"] == "'=cmd|' /C calc'!A0"
    foreign = await client.get(f"/benchmark/{benchmark_id}/request-metrics/export", headers=cast.other_admin.headers)
    assert foreign.status_code == 404


async def test_lengths_are_parted_in_equal_spans(runs: Runs, benchmark_id: str) -> None:
    await ingest(runs, [*rows(benchmark_id, 100), *rows(benchmark_id, 5, success=False)])
    query = {"benchmark_id": benchmark_id, "num_bins": 4}
    path = "/benchmark/dataset/input-distribution"
    bins = (await runs.bench.call("POST", path, json=[], params=query))["param"]["result"]
    assert [(one["bin_id"], one["bin_range"], one["count"]) for one in bins] == [
        (1, "0-25", 25),
        (2, "25-50", 25),
        (3, "50-75", 25),
        (4, "75-100", 25),
    ]
    assert bins[0]["avg_ttft"] == pytest.approx(1.2)
    [one] = (await runs.bench.call("POST", path.replace("input", "output"), params=query))["param"]["result"]
    assert (one["bin_range"], one["avg_latency"]) == ("10-11", 1.0)
    await runs.bench.call("POST", path, 404, json=[str(uuid4())], params=query)
    await runs.bench.call("POST", path, 404, json=[], params={"benchmark_id": str(uuid4())})


async def test_datasets_part_the_requests(runs: Runs, benchmark_id: str, database: Database) -> None:
    dataset = BenchmarkDataset(id=uuid7(), name=f"squad-{uuid4()}", num_samples=3)
    async with database.write() as session:
        session.add(dataset)
    await ingest(runs, [*rows(benchmark_id, 3), *rows(benchmark_id, 2, dataset_id=str(dataset.id))])
    path, query = "/benchmark/dataset/input-distribution", {"num_bins": 1}
    [one] = (await runs.bench.call("POST", path, json=[str(dataset.id)], params=query))["param"]["result"]
    assert one["count"] == 2


async def test_fields_are_set_against_each_other(runs: Runs, benchmark_id: str) -> None:
    await ingest(runs, [*rows(benchmark_id, 3), *rows(benchmark_id, 2, success=False)])
    query = {"field1": "prompt_len", "field2": "ttft"}
    path = "analysis/field1_vs_field2"
    pairs = (await runs.bench.call("POST", f"/benchmark/{benchmark_id}/{path}", params=query))["param"]["result"]
    assert [(one["prompt_len"], one["ttft"]) for one in pairs] == [(0, 0), (1, 0.1), (2, 0.2)]
    [mean] = (await runs.bench.call("POST", f"/benchmark/{path}", json=[benchmark_id], params=query))["param"]["result"]
    assert (mean["benchmark_name"], mean["prompt_len"], mean["ttft"]) == ("Rows", 1.0, pytest.approx(0.1))
    await runs.bench.call("POST", f"/benchmark/{path}", 404, json=[str(uuid4())], params=query)
    await runs.bench.call("POST", f"/benchmark/{benchmark_id}/{path}", 422, params={**query, "field2": "luck"})
