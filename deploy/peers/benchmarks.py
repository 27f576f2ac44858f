"""The part of the stand-in for budcluster that measures models, and tells budapp what each request took."""

import logging
from dataclasses import replace
from random import Random
from typing import Any, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, HTTPException, status
from pydantic import Field

from peers.clusters import Clusters
from peers.deployment_flows import DEPLOYMENT
from peers.envelope import WorkAnswer, WorkRequest
from peers.flow import RESULTS
from peers.sidecar import Refused
from peers.work import Order, StepFailed, Works

logger = logging.getLogger(__name__)

BENCHMARK = replace(
    DEPLOYMENT,
    type="performance_benchmark",
    results=("Benchmark successful", "The model {name} was measured"),
)
_SHARES = {"min": 0.5, "p25": 0.8, "median": 1.0, "p75": 1.3, "p95": 1.8, "p99": 2.2, "max": 2.6}
_MOST_REQUESTS = 10_000
_AT_ONCE = 1_000
_GAPS = 20


class BenchmarkRequest(WorkRequest):
    """The body of `POST /benchmark/run`."""

    benchmark_id: UUID
    name: str = Field(max_length=50)
    tags: list[dict[str, str]] | None = None
    description: str
    concurrent_requests: int = Field(ge=1)
    eval_with: Literal["dataset", "configuration"]
    datasets: list[dict[str, Any]] | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    user_id: UUID
    cluster_id: UUID
    bud_cluster_id: UUID
    nodes: list[dict[str, Any]] | None = None
    model_id: UUID
    model: str
    user_confirmation: bool
    run_as_simulation: bool
    credential_id: UUID | None = None
    simulator_id: UUID | None = None
    hardware_mode: str | None = None
    selected_device_type: str | None = None
    tp_size: int | None = None
    pp_size: int | None = None
    replicas: int | None = None
    num_prompts: int | None = None
    default_storage_class: str | None = None
    default_access_mode: str | None = None
    storage_size_gb: float | None = None


class Benchmarks:
    """The routes, and what was measured so far."""

    def __init__(self, works: Works, clusters: Clusters) -> None:
        self._works = works
        self._clusters = clusters
        self._results: dict[UUID, dict[str, Any]] = {}

    async def run(self, request: BenchmarkRequest) -> WorkAnswer:
        """Measure a model on machines of a cluster."""

        def result(_workflow_id: UUID) -> dict[str, Any]:
            if "unmeasurable" in request.model:
                return {"benchmark_status": False, "result": "The model does not answer"}
            made = uuid5(request.benchmark_id, "result")
            self._results[made] = figures(request)
            return {"benchmark_status": True, "bud_cluster_benchmark_id": str(made), "result": self._results[made]}

        async def check() -> None:
            if await self._clusters.find(request.bud_cluster_id) is None:
                raise StepFailed("Cluster not found")

        async def send_requests() -> None:
            if "unmeasurable" not in request.model:
                await self._send(request_metrics(request))

        facts = {"model": request.model, "name": request.name}
        deeds = {"verify_cluster_connection": check, RESULTS: send_requests}
        return self._works.start(Order(BENCHMARK, request, result, facts, deeds))

    async def tell(self, benchmark_id: UUID, figures: dict[str, Any]) -> dict[str, Any]:
        """Have measured this."""
        self._results[benchmark_id] = figures
        return figures

    async def result(self, benchmark_id: UUID) -> dict[str, Any]:
        """Say what was measured."""
        found = self._results.get(benchmark_id)
        if found is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "No such benchmark")
        about = {"object": "benchmark.result", "message": "Result found"}
        return {**about, "param": {"result": {"benchmark_id": str(benchmark_id), **found}}}

    async def _send(self, rows: list[dict[str, Any]]) -> None:
        try:
            for first in range(0, len(rows), _AT_ONCE):
                body = {"metrics": rows[first : first + _AT_ONCE]}
                await self._works.sidecar.ask_budapp("POST", "benchmark/request-metrics", body)
        except Refused as reason:
            logger.warning("budapp was not told what the requests of a benchmark took: %s", reason)


def figures(request: BenchmarkRequest) -> dict[str, Any]:
    """Return what is measured, the same whenever the same is measured."""
    luck = _luck(request)
    requests = _number_of_requests(request)
    going_in, coming_out = request.max_input_tokens or 256, request.max_output_tokens or 128
    seconds = requests / request.concurrent_requests * luck.uniform(1, 3)
    means = {"ttft_ms": luck.uniform(80, 300), "tpot_ms": luck.uniform(8, 30), "itl_ms": luck.uniform(8, 30)}
    means["e2el_ms"] = means["ttft_ms"] + coming_out * means["tpot_ms"]
    found: dict[str, Any] = {
        "duration": round(seconds, 2),
        "successful_requests": requests,
        "total_input_tokens": requests * going_in,
        "total_output_tokens": requests * coming_out,
        "request_throughput": round(requests / seconds, 2),
        "input_throughput": round(requests * going_in / seconds, 2),
        "output_throughput": round(requests * coming_out / seconds, 2),
    }
    for name, mean in {**means, "output_throughput_per_user": 1000 / means["tpot_ms"]}.items():
        found[f"mean_{name}"] = round(mean, 2)
        found |= {f"{share}_{name}": round(mean * factor, 2) for share, factor in _SHARES.items()}
    return found


def request_metrics(request: BenchmarkRequest) -> list[dict[str, Any]]:
    """Return what each request took, in seconds and tokens: spread round the means of `figures`."""
    means, luck = figures(request), _luck(request)
    longest, coming_out = request.max_input_tokens or 256, request.max_output_tokens or 128
    datasets = [one["id"] for one in request.datasets or () if one.get("id")] or [None]
    rows = []
    for number in range(min(_number_of_requests(request), _MOST_REQUESTS)):
        ttft = means["mean_ttft_ms"] / 1000 * luck.uniform(0.5, 1.5)
        tpot = means["mean_tpot_ms"] / 1000 * luck.uniform(0.5, 1.5)
        output_len = luck.randint(max(1, coming_out // 2), coming_out)
        latency = ttft + output_len * tpot
        rows.append(
            {
                "benchmark_id": str(request.benchmark_id),
                "dataset_id": datasets[number % len(datasets)],
                "latency": round(latency, 4),
                "success": True,
                "error": "",
                "prompt_len": luck.randint(max(1, longest // 2), longest),
                "output_len": output_len,
                "req_output_throughput": round(output_len / latency, 2),
                "ttft": round(ttft, 4),
                "tpot": round(tpot, 5),
                "itl": [round(tpot, 5)] * min(output_len - 1, _GAPS),
            }
        )
    return rows


def _luck(request: BenchmarkRequest) -> Random:
    return Random(f"{request.model} {request.concurrent_requests}")


def _number_of_requests(request: BenchmarkRequest) -> int:
    return request.num_prompts or 100


def router(works: Works, clusters: Clusters) -> APIRouter:
    """Return the routes."""
    peer = Benchmarks(works, clusters)
    routes = APIRouter()
    routes.add_api_route("/benchmark/run", peer.run, methods=["POST"])
    routes.add_api_route("/benchmark/result", peer.result, methods=["GET"])
    routes.add_api_route("/control/benchmarks/{benchmark_id}", peer.tell, methods=["PUT"], tags=["control"])
    return routes
