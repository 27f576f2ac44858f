"""Measurements of models: lists, results, requests and what follows from them; `workflows.py` has how they are made."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any
from uuid import UUID

from budapp.benchmark_ops import crud
from budapp.benchmark_ops import schemas as view
from budapp.benchmark_ops.crud import BenchmarkCrud, RowCrud
from budapp.benchmark_ops.models import Benchmark
from budapp.benchmark_ops.workflows import BENCHMARK
from budapp.cluster_ops.services import reach_cluster
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession, WriteSession, release
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.spreadsheets import csv_line
from budapp.events.notify import notify_users
from budapp.integrations import benchmarks as peer
from budapp.integrations.dapr import DaprClient
from budapp.model_ops.services import reach_model
from budapp.workflow_ops.services import Workflows

MOST_COMPARED = 1_000
_EXPORTED = (
    *("dataset_id", "success", "error", "prompt_len", "output_len", "ttft", "tpot", "itl_sum", "latency"),
    "req_output_throughput",
)


async def list_benchmarks(session: ReadSession, caller: Caller, query: view.BenchmarkQuery) -> Page:
    """Return a page of the tenant's measurements, the newest first."""
    return await BenchmarkCrud(session, caller).page_of_benchmarks(query)


async def list_names(session: ReadSession, caller: Caller, query: view.FilterQuery) -> Page:
    """Return a page of the names of models, or of clusters, that were measured."""
    return await BenchmarkCrud(session, caller).page_of_names(query)


async def reach_benchmark(session: ReadSession, caller: Caller, benchmark_id: UUID) -> Benchmark:
    """Return the tenant's measurement, or raise `NotFound`."""
    return await BenchmarkCrud(session, caller).get(benchmark_id)


async def get_benchmark(session: ReadSession, caller: Caller, benchmark_id: UUID) -> view.BenchmarkDetail:
    """Return a measurement with its model, its cluster and with what it was made; `NotFound` out of reach."""
    row = await BenchmarkCrud(session, caller).detail(benchmark_id)
    return view.BenchmarkDetail.model_validate(dict(row._mapping))


async def get_result(
    session: ReadSession, caller: Caller, dapr: DaprClient, benchmark_id: UUID
) -> peer.BenchmarkResult:
    """Return what budcluster has measured.

    Raises:
        NotFound: no such measurement, or out of reach; or budcluster knows it no more.
        BadRequest: there is no result, as it runs, has failed or was cancelled.
        PeerFailed, Unavailable: budcluster.
    """
    benchmark = await reach_benchmark(session, caller, benchmark_id)
    await release(session)
    if benchmark.bud_cluster_benchmark_id is None:
        raise BadRequest(f"There is no result: the benchmark is {benchmark.status}", param="benchmark_id")
    return await peer.result_of(dapr, benchmark.bud_cluster_benchmark_id)


async def configurations(
    session: ReadSession, caller: Caller, dapr: DaprClient, data: view.NodeConfigurationRequest
) -> view.NodeConfigurations:
    """Return how budsim would spread the model over the machines.

    Raises:
        NotFound: no such model or cluster, or another tenant's.
        BadRequest: budcluster does not know the cluster, or budsim says why it can't be.
        PeerFailed, Unavailable: budsim.
    """
    model = await reach_model(session, caller, data.model_id)
    cluster = await reach_cluster(session, caller, data.cluster_id)
    await release(session)
    if cluster.cluster_id is None:
        raise BadRequest("budcluster does not know the cluster", param="cluster_id")
    body = data.model_dump(mode="json") | {"cluster_id": str(cluster.cluster_id)}
    found = await peer.configurations(dapr, body | {"model_uri": model.local_path or model.uri})
    info = found.model_info.model_copy(update={"model_id": model.id, "model_name": model.name})
    return view.NodeConfigurations(
        cluster_id=cluster.id,
        hardware_mode=found.hardware_mode,
        selected_nodes=found.selected_nodes,
        model_info=info,
        device_configurations=found.device_configurations,
    )


async def cancel(session: WriteSession, caller: Caller, flows: Workflows, workflow_id: UUID) -> None:
    """End a measurement, at budcluster too, and tell the caller.

    Raises:
        NotFound: no such workflow, one of another type, or of somebody else's.
        BadRequest: it has ended.
    """
    await flows.cancel(session, caller, workflow_id, only={BENCHMARK.type})
    await notify_users(
        session,
        aggregate=f"workflow:{workflow_id}",
        subscriber_ids=[caller.user_id],
        type="model_benchmark_cancelled",
        title="Benchmark",
        message="Benchmark cancelled",
        target=("workflow", workflow_id),
    )


async def add_rows(session: WriteSession, caller: Caller | None, rows: Sequence[view.RequestRow]) -> int:
    """Keep what requests took, by one COPY; return how many there are.

    Args:
        session: the unit of work.
        caller: whose measurements they may be of; None for budcluster, which measures for all tenants.
        rows: the requests.

    Raises:
        NotFound: one of the measurements is not there, or out of reach; nothing is kept then.
    """
    ids = {row.benchmark_id for row in rows}
    tenants = await crud.tenants_of(session, ids, caller.tenant_id if caller is not None else None)
    if len(tenants) < len(ids):
        raise NotFound("Benchmark not found", param="benchmark_id")
    await _check_datasets(session, {row.dataset_id for row in rows if row.dataset_id is not None})
    await crud.copy_rows(session, rows, tenants)
    return len(rows)


async def _check_datasets(session: ReadSession, ids: Collection[UUID]) -> None:
    if len(await crud.datasets(session, ids)) < len(ids):
        raise NotFound("Dataset not found", param="dataset_id")


async def list_rows(session: ReadSession, caller: Caller, query: view.RowQuery) -> view.RowList:
    """Return a page of the requests of a measurement; `NotFound` out of reach."""
    await reach_benchmark(session, caller, query.benchmark_id)
    total, rows = await RowCrud(session, query.benchmark_id).page(query)
    items = [view.RowView.model_validate(dict(row._mapping)) for row in rows]
    return view.RowList(items=items, total_items=total, page=query.page, limit=query.limit)


async def exported(database: Database, caller: Caller, benchmark_id: UUID) -> AsyncIterator[bytes]:
    """Return the requests of a measurement as CSV, read as they are sent; `NotFound` out of reach."""
    async with database.read() as session:
        await reach_benchmark(session, caller, benchmark_id)
    return _lines(database, benchmark_id)


async def _lines(database: Database, benchmark_id: UUID) -> AsyncIterator[bytes]:
    yield csv_line(_EXPORTED)
    async with database.read() as session:
        async for rows in RowCrud(session, benchmark_id).all():
            yield b"".join(csv_line(_cell(getattr(row, name)) for name in _EXPORTED) for row in rows)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


async def analyse(
    session: ReadSession, caller: Caller, benchmark_id: UUID, query: view.FieldsQuery
) -> list[view.FieldPair]:
    """Return two fields of the requests that went well, the first 10,000; `NotFound` out of reach."""
    await reach_benchmark(session, caller, benchmark_id)
    rows = await RowCrud(session, benchmark_id).pairs([query.field1, query.field2])
    return [view.FieldPair.model_validate(dict(row._mapping)) for row in rows]


async def compare(
    session: ReadSession, caller: Caller, ids: list[UUID] | None, query: view.FieldsQuery
) -> list[view.FieldPair]:
    """Return the means of two fields of measurements, of all where none are named: the newest 1,000.

    Raises:
        NotFound: one that is named is out of reach.
    """
    crud_ = BenchmarkCrud(session, caller)
    if ids is not None and len(await crud_.existing(set(ids))) < len(set(ids)):
        raise NotFound("Benchmark not found")
    rows = await crud_.means([query.field1, query.field2], ids, MOST_COMPARED)
    return [
        view.FieldPair.model_validate({**row._mapping, "benchmark_id": row.id, "benchmark_name": row.name})
        for row in rows
    ]


async def distribution(
    session: ReadSession, caller: Caller, column: str, query: view.DistributionQuery, dataset_ids: Sequence[UUID]
) -> list[view.Bin]:
    """Return what requests took by their length: of one measurement where one is named, with these datasets if any.

    Raises:
        NotFound: the measurement is out of reach, or a dataset is none.
    """
    if query.benchmark_id is not None:
        await reach_benchmark(session, caller, query.benchmark_id)
    await _check_datasets(session, set(dataset_ids))
    rows = await BenchmarkCrud(session, caller).bins(column, query.benchmark_id, dataset_ids, query.num_bins)
    return [_bin(row) for row in rows]


def _bin(row: Any) -> view.Bin:
    low = row.low + (row.bin_id - 1) * row.width
    averages = {name: getattr(row, name) for name in ("avg_ttft", "avg_tpot", "avg_latency")}
    span = f"{low:.0f}-{low + row.width:.0f}"
    return view.Bin(bin_id=row.bin_id, bin_range=span, count=row.count, **averages)
