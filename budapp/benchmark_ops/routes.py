from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query
from fastapi.responses import StreamingResponse

from budapp.benchmark_ops import schemas as view
from budapp.benchmark_ops import services
from budapp.benchmark_ops.workflows import BENCHMARK
from budapp.commons.access import Caller, Requires, RequiresOrPeer, internal
from budapp.commons.database import Database, Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.openapi import download
from budapp.commons.scopes import Scope
from budapp.integrations.dapr import DaprDep
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(prefix="/benchmark", tags=["benchmarks"], route_class=IdempotentRoute)
rows_router = APIRouter(prefix="/benchmark", tags=["benchmarks"])

Viewer = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_VIEW))]
ViewerOf = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_VIEW, row=services.reach_benchmark))]
Manager = Annotated[Caller, Depends(Requires(Scope.BENCHMARK_MANAGE))]
ManagerOrPeer = Annotated[Caller, Depends(RequiresOrPeer(Scope.BENCHMARK_MANAGE))]
DatabaseDep = Annotated[Database, provided(Database)]
Fields = Annotated[view.FieldsQuery, Query()]
Bins = Annotated[view.DistributionQuery, Query()]
Ids = Annotated[Sequence[UUID], Body(max_length=1_000)]


@router.get("")
async def list_benchmarks(
    caller: Viewer, session: Read, query: Annotated[view.BenchmarkQuery, Query()]
) -> view.BenchmarkList:
    """List the tenant's benchmarks, the newest first."""
    return view.BenchmarkList.of(await services.list_benchmarks(session, caller, query))


@router.get("/filters")
async def list_names(caller: Viewer, session: Read, query: Annotated[view.FilterQuery, Query()]) -> view.FilterList:
    """List the names of models, or of clusters, that there are benchmarks of."""
    page = await services.list_names(session, caller, query)
    return view.FilterList(result=[row.name for row in page.rows], **page.envelope())


@router.get("/result")
async def get_result(benchmark_id: UUID, caller: Viewer, session: Read, dapr: DaprDep) -> view.ResultAnswer:
    """Get what was measured."""
    found = await services.get_result(session, caller, dapr, benchmark_id)
    return view.ResultAnswer(param=view.ResultParam(result=found))


@router.post("/run-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def run_benchmark(data: view.BenchmarkPost, caller: ManagerOrPeer, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of a benchmark; the one that triggers has budcluster run it."""
    return await flows.post(caller, BENCHMARK.type, data)


@router.post("/cancel")
async def cancel_benchmark(
    data: view.CancelRequest, caller: Manager, session: Write, flows: WorkflowsDep
) -> view.BenchmarkCancelled:
    """Cancel a benchmark, at budcluster too."""
    await services.cancel(session, caller, flows, data.workflow_id)
    return view.BenchmarkCancelled()


@router.post("/node-configurations")
async def get_configurations(
    data: view.NodeConfigurationRequest, caller: ManagerOrPeer, session: Read, dapr: DaprDep
) -> view.NodeConfigurations:
    """Return how budsim would spread a model over the devices of machines."""
    return await services.configurations(session, caller, dapr, data)


@rows_router.post("/request-metrics", dependencies=[internal])
async def take_rows(data: view.RequestRows, session: Write) -> view.RowsKept:
    """Take what the requests of benchmarks took: up to 10,000 at once, all or none. For budcluster."""
    return view.RowsKept(count=await services.add_rows(session, None, await data.rows()))


@rows_router.post("/add-request-metrics")
async def add_rows(data: view.RequestRows, caller: Manager, session: Write) -> view.RowsKept:
    """Keep what the requests of the tenant's own benchmarks took: up to 10,000 at once, all or none."""
    return view.RowsKept(count=await services.add_rows(session, caller, await data.rows()))


@router.get("/request-metrics")
async def list_rows(caller: Viewer, session: Read, query: Annotated[view.RowQuery, Query()]) -> view.RowList:
    """List what the requests of a benchmark took, in their order."""
    return await services.list_rows(session, caller, query)


@router.post("/dataset/input-distribution")
async def get_input_distribution(
    caller: Viewer, session: Read, query: Bins, dataset_ids: Ids = ()
) -> view.FieldDistribution:
    """Return what requests took by the length of their prompts."""
    bins = await services.distribution(session, caller, "prompt_len", query, dataset_ids)
    return view.FieldDistribution(param=view.Bins(result=bins))


@router.post("/dataset/output-distribution")
async def get_output_distribution(
    caller: Viewer, session: Read, query: Bins, dataset_ids: Ids = ()
) -> view.FieldDistribution:
    """Return what requests took by the length of their answers."""
    bins = await services.distribution(session, caller, "output_len", query, dataset_ids)
    return view.FieldDistribution(param=view.Bins(result=bins))


@router.post("/analysis/field1_vs_field2")
async def compare(
    caller: Viewer, session: Read, query: Fields, ids: Annotated[list[UUID] | None, Body(max_length=1_000)] = None
) -> view.AnalysisAnswer:
    """Compare the means of two fields between benchmarks, all of them where none are named."""
    return view.AnalysisAnswer(param=view.FieldPairs(result=await services.compare(session, caller, ids, query)))


@router.get("/{benchmark_id}/model-cluster-detail")
async def get_benchmark(benchmark_id: UUID, caller: ViewerOf, session: Read) -> view.BenchmarkRetrieved:
    """Get a benchmark with its model and its cluster."""
    return view.BenchmarkRetrieved(result=await services.get_benchmark(session, caller, benchmark_id))


@router.post("/{benchmark_id}/analysis/field1_vs_field2")
async def analyse(benchmark_id: UUID, caller: ViewerOf, session: Read, query: Fields) -> view.AnalysisAnswer:
    """Return two fields of the requests of a benchmark, for a chart."""
    found = await services.analyse(session, caller, benchmark_id, query)
    return view.AnalysisAnswer(param=view.FieldPairs(result=found))


@router.get("/{benchmark_id}/request-metrics/export", response_class=StreamingResponse, responses=download("text/csv"))
async def export_rows(benchmark_id: UUID, caller: ViewerOf, database: DatabaseDep) -> StreamingResponse:
    """Export what the requests of a benchmark took, as CSV."""
    lines = await services.exported(database, caller, benchmark_id)
    name = f'attachment; filename="benchmark-{benchmark_id}.csv"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
