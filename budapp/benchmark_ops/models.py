from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Float, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned


class BenchmarkStatus(StrEnum):
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Benchmark(TenantOwned, Base):
    """A measurement of a model on machines of a cluster; `ttft` and `tpot` are the means of its result, in ms."""

    __tablename__ = "benchmark"
    audited = Audited("model", name="name")
    __table_args__ = (
        CheckConstraint("status in ('processing', 'success', 'failed', 'cancelled')", name="status"),
        CheckConstraint("eval_with in ('dataset', 'configuration')", name="eval_with"),
    )

    bud_cluster_benchmark_id: Mapped[UUID | None]
    name: Mapped[str]
    description: Mapped[str]
    tags: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    eval_with: Mapped[str]
    max_input_tokens: Mapped[int | None]
    max_output_tokens: Mapped[int | None]
    dataset_ids: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    model_id: Mapped[UUID]
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    nodes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    configuration: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    concurrency: Mapped[int]
    status: Mapped[str] = mapped_column(default=BenchmarkStatus.PROCESSING)
    reason: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    ttft: Mapped[float | None]
    tpot: Mapped[float | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class RequestMetrics(TenantOwned, Base):
    """What one request of a measurement took: times in seconds, as budcluster tells them."""

    __tablename__ = "benchmark_request_metrics"
    audited = NotAudited("measurements, thousands at once, of a run that is in the trail itself")

    benchmark_id: Mapped[UUID] = mapped_column(ForeignKey("benchmark.id", ondelete="CASCADE"))
    dataset_id: Mapped[UUID | None]
    latency: Mapped[float | None]
    success: Mapped[bool] = mapped_column(default=True)
    error: Mapped[str | None]
    prompt_len: Mapped[int | None]
    output_len: Mapped[int | None]
    req_output_throughput: Mapped[float | None]
    ttft: Mapped[float | None]
    tpot: Mapped[float | None]
    itl: Mapped[list[float] | None] = mapped_column(ARRAY(Float))


Index("ix_benchmark_tenant_id_created_at", Benchmark.tenant_id, Benchmark.created_at.desc(), Benchmark.id.desc())
Index("ix_benchmark_request_metrics_benchmark_id", RequestMetrics.benchmark_id, RequestMetrics.id)
