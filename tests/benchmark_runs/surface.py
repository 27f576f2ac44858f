from typing import Any
from uuid import uuid4

from uuid_utils.compat import uuid7

from budapp.benchmark_ops.models import Benchmark, RequestMetrics
from tests.clusters.surface import bud_cluster_id
from tests.stack import address_of, http_client
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts

FORM = {
    "name": "Speed",
    "tags": [{"name": "fast", "color": "#E57333"}],
    "description": "How fast it is",
    "concurrent_requests": 10,
    "eval_with": "configuration",
}
_PAIR = {"field1": "ttft", "field2": "tpot"}


async def _seed(context: SeedContext) -> Things:
    about = {"model_id": context.id_of("model_id"), "cluster_id": context.id_of("cluster_id")}
    form = {name: FORM[name] for name in ("name", "tags", "description", "eval_with")}
    measured = {"bud_cluster_benchmark_id": uuid4(), "status": "success"}
    benchmark = Benchmark(id=uuid7(), concurrency=10, **measured, **about, **form, **context.owned)
    row = RequestMetrics(tenant_id=context.tenant_id, benchmark_id=benchmark.id, ttft=0.1, tpot=0.01, prompt_len=5)
    await context.add(benchmark, row)
    draft = await add_draft(context, "model_benchmark", FORM)
    return {
        "benchmark_id": str(benchmark.id),
        "benchmark_workflow_id": str(draft.id),
        "measured": str(measured["bud_cluster_benchmark_id"]),
    }


async def _known(_context: RequestContext) -> None:
    """Have budcluster's stand-in know the clusters of both tenants."""
    async with http_client(address_of("budcluster")) as http:
        for realm in (0, 1):
            answer = await http.post("/control/clusters", json={"id": str(bud_cluster_id(realm))})
            assert answer.status_code == 200, answer.text


async def _measured(context: RequestContext) -> None:
    """Have budcluster's stand-in know the results of both tenants."""
    async with http_client(address_of("budcluster")) as http:
        for things in (context.scene.here, context.scene.there):
            answer = await http.put(f"/control/benchmarks/{things['measured']}", json={"mean_ttft_ms": 100})
            assert answer.status_code == 200, answer.text


def _row(t: Things) -> dict[str, Any]:
    return {"metrics": [{"benchmark_id": t["benchmark_id"], "ttft": 0.1, "success": True}]}


def _machines(t: Things) -> dict[str, Any]:
    return {"model_id": t["model_id"], "cluster_id": t["cluster_id"], "hostnames": ["node-1"]}


_OF_ONE = "/benchmark/{benchmark_id}"

share = Share(
    "benchmark_ops",
    seed=_seed,
    requests={
        "GET /benchmark/result": Valid(query=lambda t: {"benchmark_id": t["benchmark_id"]}, prepare=_measured),
        "GET /benchmark/request-metrics": Valid(query=lambda t: {"benchmark_id": t["benchmark_id"]}),
        "POST /benchmark/run-workflow": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["benchmark_workflow_id"], **FORM}, prepare=own_drafts
        ),
        "POST /benchmark/cancel": Valid(lambda t: {"workflow_id": t["benchmark_workflow_id"]}, prepare=own_drafts),
        "POST /benchmark/node-configurations": Valid(_machines, prepare=_known),
        "POST /benchmark/request-metrics": Valid(_row),
        "POST /benchmark/add-request-metrics": Valid(_row),
        "POST /benchmark/dataset/input-distribution": Valid(
            lambda t: [], query=lambda t: {"benchmark_id": t["benchmark_id"]}
        ),
        "POST /benchmark/dataset/output-distribution": Valid(
            lambda t: [], query=lambda t: {"benchmark_id": t["benchmark_id"]}
        ),
        "POST /benchmark/analysis/field1_vs_field2": Valid(lambda t: [t["benchmark_id"]], query=lambda t: _PAIR),
        f"POST {_OF_ONE}/analysis/field1_vs_field2": Valid(query=lambda t: _PAIR),
    },
    audited={
        "POST /benchmark/run-workflow": Audited(
            "create", "workflow", Valid(lambda t: {"step_number": 1, "workflow_total_steps": 9, **FORM})
        ),
        "POST /benchmark/cancel": Audited("update", "workflow"),
    },
    changes_nothing={
        "POST /benchmark/node-configurations": "only asks budsim",
        "POST /benchmark/request-metrics": "measurements of a run that is in the trail itself",
        "POST /benchmark/add-request-metrics": "measurements of a run that is in the trail itself",
        "POST /benchmark/dataset/input-distribution": "only looks",
        "POST /benchmark/dataset/output-distribution": "only looks",
        "POST /benchmark/analysis/field1_vs_field2": "only looks",
        f"POST {_OF_ONE}/analysis/field1_vs_field2": "only looks",
    },
)
