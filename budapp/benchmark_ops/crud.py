from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Integer, Row, Select, and_, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from uuid_utils.compat import uuid7

from budapp.benchmark_ops.models import Benchmark, RequestMetrics
from budapp.benchmark_ops.schemas import BenchmarkQuery, FilterQuery, MetricField, RequestRow, RowQuery
from budapp.cluster_ops.models import Cluster
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, not_deleted, now
from budapp.commons.errors import NotFound
from budapp.commons.paging import equal, matching
from budapp.dataset_ops.models import BenchmarkDataset
from budapp.model_ops.models import Model

MOST_POINTS = 10_000
_AT_ONCE = 2_000
_LISTED = (
    *("id", "name", "status", "concurrency", "tpot", "ttft", "eval_with", "dataset_ids", "max_input_tokens"),
    *("max_output_tokens", "created_at"),
)
_MODEL = ("id", "name", "icon", "description", "uri", "author", "provider_type", "created_at")
_CLUSTER = ("id", "name", "icon", "status", "total_nodes", "available_nodes", "created_at")
_ROW = (
    *("id", "dataset_id", "latency", "success", "error", "prompt_len", "output_len", "req_output_throughput"),
    *("ttft", "tpot", "itl"),
)
_COPIED_AT_ONCE = 1000
_KEPT = ("benchmark_id", *_ROW[1:])


def _object(table: Any, names: Sequence[str]) -> ColumnElement[Any]:
    fields: list[ColumnElement[Any]] = []
    for name in names:
        fields += [literal_column(f"'{name}'"), getattr(table, name)]
    return func.jsonb_build_object(*fields, type_=JSONB)


def _one(table: Any, names: Sequence[str], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return select(_object(table, names)).where(condition).correlate(Benchmark).scalar_subquery()


_OF_MODEL = and_(Model.id == Benchmark.model_id, Model.tenant_id == Benchmark.tenant_id)
_HARDWARE = Benchmark.nodes[0]["hardware_info"][0]
_MODEL_NAME = select(Model.name).where(_OF_MODEL).correlate(Benchmark).scalar_subquery()
_CLUSTER_NAME = select(Cluster.name).where(Cluster.id == Benchmark.cluster_id).correlate(Benchmark).scalar_subquery()
SORTABLE = {
    **{name: getattr(Benchmark, name) for name in ("id", "name", "status", "concurrency", "created_at")},
    "modified_at": Benchmark.modified_at,
    "ttft": Benchmark.ttft,
    "tpot": Benchmark.tpot,
}


class BenchmarkCrud(Crud[Benchmark]):
    """The measurements of the caller's tenant."""

    model = Benchmark
    soft_deleted = False

    def _columns(self) -> list[Any]:
        device = Benchmark.configuration["selected_device_type"].astext
        return [
            *(getattr(Benchmark, name) for name in _LISTED),
            _one(Model, _MODEL, _OF_MODEL).label("model"),
            _one(Cluster, _CLUSTER, Cluster.id == Benchmark.cluster_id).label("cluster"),
            func.coalesce(device, _HARDWARE["type"].astext).label("node_type"),
            _HARDWARE["vendor"].astext.label("vendor_type"),
        ]

    async def page_of_benchmarks(self, query: BenchmarkQuery) -> Page:
        """Return a page of `BenchmarkListed` columns."""
        found = self.visible(*self._columns()).where(*_wanted(query))
        return await self.page(query, found, SORTABLE)

    async def detail(self, benchmark_id: UUID) -> Row[Any]:
        """Return the columns of a `BenchmarkDetail`, or raise `NotFound`."""
        names = select(func.coalesce(func.array_agg(BenchmarkDataset.name), literal_column("array[]::varchar[]")))
        listed = Benchmark.dataset_ids.contains(func.jsonb_build_array(BenchmarkDataset.id))
        columns = [
            *self._columns(),
            *(getattr(Benchmark, name) for name in ("description", "tags", "reason", "nodes", "modified_at")),
            Benchmark.configuration.label("deployment_config"),
            names.where(listed).correlate(Benchmark).scalar_subquery().label("dataset_names"),
        ]
        statement = self.visible(*columns).where(Benchmark.id == benchmark_id)
        row: Row[Any] | None = (await self.session.execute(statement)).one_or_none()
        if row is None:
            raise NotFound("Benchmark not found")
        return row

    async def page_of_names(self, query: FilterQuery) -> Page:
        """Return a page of the names of models, or of clusters, that were measured: each once."""
        of_model = query.resource == "model"
        table = Model if of_model else Cluster
        condition = _OF_MODEL if of_model else Cluster.id == Benchmark.cluster_id
        asked = {"model_name": Model.name} if of_model else {"cluster_name": Cluster.name}
        found = self.visible(table.name.label("id"), table.name).join(table, condition)
        names = found.where(*matching(query, **asked)).distinct().subquery()
        return await self.page(query, select(names), {"id": names.c.id, "name": names.c.name}, "name")

    async def existing(self, ids: Collection[UUID]) -> set[UUID]:
        """Return which of the ids are of measurements of the tenant."""
        return set(await self.session.scalars(self.visible(Benchmark.id).where(Benchmark.id.in_(ids))))

    async def means(self, fields: Sequence[MetricField], ids: Collection[UUID] | None, most: int) -> Sequence[Row[Any]]:
        """Return id and name of measurements, the newest first, with the means of the fields."""
        averages = [func.avg(getattr(RequestMetrics, field)).cast(Float).label(field) for field in fields]
        statement = self.visible(Benchmark.id, Benchmark.name, *averages)
        statement = statement.join(RequestMetrics, RequestMetrics.benchmark_id == Benchmark.id)
        statement = statement.where(RequestMetrics.success)
        if ids is not None:
            statement = statement.where(Benchmark.id.in_(ids))
        statement = statement.group_by(Benchmark.id, Benchmark.name, Benchmark.created_at)
        statement = statement.order_by(Benchmark.created_at.desc(), Benchmark.id.desc()).limit(most)
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return rows

    async def bins(
        self, column: str, benchmark_id: UUID | None, dataset_ids: Collection[UUID], number: int
    ) -> Sequence[Row[Any]]:
        """Return, for equal spans of a length, how many requests have one in it, and what those took on average."""
        length: Any = getattr(RequestMetrics, column)
        rows = self.visible(length.label("length"), *(getattr(RequestMetrics, name) for name in _TIMES))
        rows = rows.join(RequestMetrics, RequestMetrics.benchmark_id == Benchmark.id)
        rows = rows.where(RequestMetrics.success, length.is_not(None))
        if benchmark_id is not None:
            rows = rows.where(Benchmark.id == benchmark_id)
        if dataset_ids:
            rows = rows.where(RequestMetrics.dataset_id.in_(dataset_ids))
        return await _binned(self.session, rows, number)


_TIMES = ("ttft", "tpot", "latency")


async def _binned(session: ReadSession, rows: Select[Any], number: int) -> Sequence[Row[Any]]:
    found = rows.cte("found")
    low, high = func.min(found.c.length).label("low"), func.max(found.c.length).label("high")
    span = select(low, high).cte("span")
    width = func.greatest(cast(span.c.high - span.c.low + 1, Float) / number, 1.0)
    bin_id = func.least(cast(func.floor((found.c.length - span.c.low) / width), Integer) + 1, number).label("bin_id")
    binned = select(
        bin_id, func.min(span.c.low).label("low"), func.min(width).label("width"), func.count().label("count")
    )
    averages = [func.avg(found.c[name]).cast(Float).label(f"avg_{name}") for name in _TIMES]
    statement = binned.add_columns(*averages).select_from(found).join(span, literal_column("true"))
    result: Sequence[Any] = (await session.execute(statement.group_by(bin_id).order_by(bin_id))).all()
    return result


class RowCrud:
    """The requests of one measurement, which the caller has been found to reach."""

    def __init__(self, session: ReadSession, benchmark_id: UUID) -> None:
        self.session = session
        self._here = RequestMetrics.benchmark_id == benchmark_id

    async def page(self, query: RowQuery) -> tuple[int, Sequence[Row[Any]]]:
        """Return how many there are, and a page of `RowView` columns."""
        total = await self.session.scalar(select(func.count()).where(self._here)) or 0
        statement = self._columns().order_by(RequestMetrics.id).limit(query.limit)
        rows: Sequence[Any] = (await self.session.execute(statement.offset((query.page - 1) * query.limit))).all()
        return total, rows

    async def all(self) -> AsyncIterator[Sequence[Row[Any]]]:
        """Yield all of them, in pages."""
        last: UUID | None = None
        while True:
            statement = self._columns().order_by(RequestMetrics.id).limit(_AT_ONCE)
            if last is not None:
                statement = statement.where(RequestMetrics.id > last)
            rows: Sequence[Any] = (await self.session.execute(statement)).all()
            if rows:
                yield rows
                last = rows[-1].id
            if len(rows) < _AT_ONCE:
                return

    async def pairs(self, fields: Sequence[MetricField]) -> Sequence[Row[Any]]:
        """Return the fields of requests that have both and went well: the first 10,000."""
        columns = [getattr(RequestMetrics, field) for field in fields]
        statement = select(*columns).where(self._here, RequestMetrics.success)
        statement = statement.where(*(column.is_not(None) for column in columns))
        statement = statement.order_by(RequestMetrics.id).limit(MOST_POINTS)
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return rows

    def _columns(self) -> Select[Any]:
        step = func.unnest(RequestMetrics.itl, type_=Float).column_valued("step")
        summed = select(func.sum(step)).scalar_subquery().label("itl_sum")
        return select(*(getattr(RequestMetrics, name) for name in _ROW), summed).where(self._here)


async def tenants_of(session: WriteSession, ids: Collection[UUID], tenant_id: UUID | None) -> dict[UUID, UUID]:
    """Return whose the measurements are, of one tenant or of any; they are kept from being deleted until the commit."""
    statement = select(Benchmark.id, Benchmark.tenant_id).where(Benchmark.id.in_(ids)).with_for_update(read=True)
    if tenant_id is not None:
        statement = statement.where(Benchmark.tenant_id == tenant_id)
    return {row.id: row.tenant_id for row in await session.execute(statement)}


async def copy_rows(session: WriteSession, rows: Sequence[RequestRow], tenants: dict[UUID, UUID]) -> None:
    """Put the rows in by COPY, in the transaction of the session, which has begun."""
    at = now()
    columns = ["id", "created_at", "modified_at", "tenant_id", *_KEPT]
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    for start in range(0, len(rows), _COPIED_AT_ONCE):  # to encode all at once would hold the loop
        some = rows[start : start + _COPIED_AT_ONCE]
        records = [(uuid7(), at, at, tenants[row.benchmark_id], *(_value(row, name) for name in _KEPT)) for row in some]
        await driver.copy_records_to_table(RequestMetrics.__tablename__, records=records, columns=columns)


def _value(row: RequestRow, name: str) -> Any:
    value = getattr(row, name)
    return (value is not False) if name == "success" else value


async def lock(session: WriteSession, tenant_id: UUID, benchmark_id: UUID) -> Benchmark | None:
    """Return the tenant's measurement, locked."""
    mine = (Benchmark.id == benchmark_id, Benchmark.tenant_id == tenant_id)
    found: Benchmark | None = await session.scalar(select(Benchmark).where(*mine).with_for_update())
    return found


async def cluster(session: ReadSession, tenant_id: UUID, cluster_id: UUID) -> Cluster | None:
    """Return the tenant's cluster."""
    mine = (Cluster.id == cluster_id, Cluster.tenant_id == tenant_id, not_deleted(Cluster))
    found: Cluster | None = await session.scalar(select(Cluster).where(*mine))
    return found


async def datasets(session: ReadSession, ids: Collection[UUID]) -> Sequence[BenchmarkDataset]:
    """Return the public datasets of these ids that can be used, by name."""
    if not ids:
        return []
    wanted = (BenchmarkDataset.id.in_(ids), BenchmarkDataset.status == "active")
    return (await session.scalars(select(BenchmarkDataset).where(*wanted).order_by(BenchmarkDataset.name))).all()


def _wanted(query: BenchmarkQuery) -> list[ColumnElement[bool]]:
    names = {"name": Benchmark.name, "model_name": _MODEL_NAME, "cluster_name": _CLUSTER_NAME}
    conditions = [*equal(query, status=Benchmark.status), *matching(query, **names)]
    for name in ("concurrency", "tpot", "ttft"):
        column: Any = getattr(Benchmark, name)
        least, most = getattr(query, f"min_{name}"), getattr(query, f"max_{name}")
        if least is not None:
            conditions.append(column >= least)
        if most is not None:
            conditions.append(column <= most)
    return conditions
