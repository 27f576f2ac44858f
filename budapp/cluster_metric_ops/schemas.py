from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from budapp.commons.paging import MAX_LIMIT
from budapp.commons.schemas import Answer, PageAnswer, Schema
from budapp.commons.timestamps import Timestamp
from budapp.integrations import cluster_metrics as peer


class MetricType(StrEnum):
    ALL = "all"
    MEMORY = "memory"
    CPU = "cpu"
    DISK = "disk"
    STORAGE = "storage"
    GPU = "gpu"
    HPU = "hpu"
    NETWORK_BANDWIDTH = "network_bandwidth"
    POWER = "power"


class MetricsQuery(Schema):
    """`storage` is another name of `disk`."""

    filter: Literal["today", "7days", "month"] = "today"
    metric_type: MetricType = MetricType.ALL


class PeriodQuery(Schema):
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_time and self.end_time and self.end_time < self.start_time:
            raise ValueError("end_time must not be before start_time")
        return self


class PodQuery(PeriodQuery):
    namespace: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None


class SeriesQuery(Schema):
    hours: int = Field(default=6, ge=1, le=168)


class EventQuery(Schema):
    page: int = Field(default=1, ge=1, le=1_000)
    limit: int = Field(default=100, ge=1, le=MAX_LIMIT)


MetricName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_:.]{0,199}$")]


class MetricsRequest(Schema):
    """Which metrics of a period are wanted, in which steps."""

    from_time: Timestamp
    to_time: Timestamp
    metric_names: list[MetricName] | None = Field(
        default=None, max_length=100, description="budmetrics' names of metrics; null for those that it chooses"
    )
    aggregation: Literal["avg", "min", "max", "sum"] = Field(
        default="avg", description="How the values of a step become one"
    )
    interval: Literal["1m", "5m", "15m", "30m", "1h", "6h", "12h", "1d"] = Field(
        default="5m", description="How long a step is"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_time < self.from_time:
            raise ValueError("to_time must not be before from_time")
        return self


class PowerView(Schema):
    total_watts: float = Field(description="Power, in watts")
    change_percent: float


class MeasuredView(peer.Measured):
    power: PowerView | None = None  # type: ignore[assignment]


class MetricsAnswer(Answer):
    object: Literal["cluster.metrics"] = "cluster.metrics"
    message: str = "Cluster metrics found"
    cluster_id: UUID
    nodes: dict[str, MeasuredView] = Field(description="Name of the node → what is measured there")
    cluster_summary: MeasuredView
    time_range: str = Field(description="The period, as `filter` names it")
    metric_type: str
    timestamp: str


class SystemInfo(Schema):
    os: str | None
    kernel: str | None
    architecture: str | None


class Amount(Schema):
    """How much is in use of what there is; null where it is not measured."""

    current: float | None = Field(description="How much is in use: cores, GB of memory, or devices")
    capacity: float | None = Field(description="How much there is: cores, GB of memory, or devices")


class Pods(Schema):
    current: int | None = Field(description="How many pods run; nothing measures it, so it is null")
    max: int | None = Field(description="How many pods fit; nothing measures it, so it is null")


class Network(Schema):
    bandwidth: list[peer.BandwidthPoint]


class Capacity(Schema):
    cpu: float | None = Field(description="How many cores there are")
    memory: float | None = Field(description="Memory, in GB")
    pods: int | None = Field(description="How many pods fit; nothing measures it, so it is null")
    ephemeral_storage: float | None = Field(description="Disk, in GB")


class NodeView(Schema):
    """A machine: what budcluster knows of it, and what budmetrics measures; cores, and GB of memory."""

    id: UUID
    hostname: str
    internal_ip: str | None
    status: Literal["Ready", "NotReady"]
    system_info: SystemInfo
    pods: Pods
    cpu: Amount
    gpu: Amount
    hpu: Amount
    memory: Amount
    network: Network
    events_count: int
    capacity: Capacity
    hardware_info: list[peer.Hardware]


class NodesAnswer(Answer):
    object: Literal["cluster.nodes"] = "cluster.nodes"
    message: str = "Nodes found"
    nodes: dict[str, NodeView] = Field(description="Name of the node → what is known of it")


class NodeEventsAnswer(PageAnswer):
    object: Literal["cluster.node.events"] = "cluster.node.events"
    message: str = "Node events found"
    events: list[peer.NodeEvent]


class GpuNodeView(peer.GpuNode):
    devices: list[peer.GpuDevice]


class GpuAnswer(Answer):
    object: Literal["cluster.gpu"] = "cluster.gpu"
    message: str = "GPU metrics found"
    cluster_id: UUID
    timestamp: datetime
    summary: peer.ClusterGpuSummary
    nodes: list[GpuNodeView]
    devices: list[peer.GpuDevice]
    slices: list[peer.GpuSlice]
    quotas: list[peer.Quota]


class NodeGpuAnswer(Answer):
    object: Literal["cluster.node.gpu"] = "cluster.node.gpu"
    message: str = "GPU metrics found"
    cluster_id: UUID
    node_name: str
    timestamp: datetime
    devices: list[peer.GpuDevice]
    slices: list[peer.GpuSlice]
    summary: peer.NodeGpuSummary


class GpuSeriesAnswer(Answer):
    object: Literal["cluster.node.gpu.series"] = "cluster.node.gpu.series"
    message: str = "GPU metrics found"
    timestamps: list[int] = Field(description="When was measured, in seconds since 1970")
    gpu_utilization: list[list[float]] = Field(
        description="Utilization in percent: a list for each device, a value for each of `timestamps`"
    )
    memory_utilization: list[list[float]] = Field(
        description="Memory in use in percent: a list for each device, a value for each of `timestamps`"
    )
    temperature: list[list[float]] = Field(
        description="Degrees Celsius: a list for each device, a value for each of `timestamps`"
    )
    power: list[list[float]] = Field(
        description="Power in watts: a list for each device, a value for each of `timestamps`"
    )
    slice_activity: list[peer.SliceActivity]


class CpuSeriesAnswer(Answer):
    object: Literal["cluster.node.cpu.series"] = "cluster.node.cpu.series"
    message: str = "CPU metrics found"
    timestamps: list[int] = Field(description="When was measured, in seconds since 1970")
    cpu_usage_percent: list[float] = Field(description="CPU in use in percent, a value for each of `timestamps`")
    load_1: list[float] = Field(description="Load average over 1 minute, a value for each of `timestamps`")
    load_5: list[float] = Field(description="Load average over 5 minutes, a value for each of `timestamps`")
    load_15: list[float] = Field(description="Load average over 15 minutes, a value for each of `timestamps`")


class SummaryAnswer(Answer):
    object: Literal["cluster.metrics.summary"] = "cluster.metrics.summary"
    message: str = "Cluster metrics found"
    cluster_id: UUID
    cluster_name: str
    total_nodes: int
    total_pods: int
    avg_cpu_usage: float = Field(description="CPU in use, in percent, on average over the nodes")
    avg_memory_usage: float = Field(description="Memory in use, in percent, on average over the nodes")
    avg_disk_usage: float = Field(description="Disk in use, in percent, on average over the nodes")
    health_status: str = Field(description="How the cluster is, as budmetrics says")
    resources: peer.ResourceSummary


class NodeMetricsAnswer(Answer):
    object: Literal["cluster.metrics.nodes"] = "cluster.metrics.nodes"
    message: str = "Node metrics found"
    cluster_id: UUID
    cluster_name: str
    timestamp: datetime
    metrics: list[peer.NodeMetrics]


class PodMetricsAnswer(Answer):
    object: Literal["cluster.metrics.pods"] = "cluster.metrics.pods"
    message: str = "Pod metrics found"
    cluster_id: UUID
    cluster_name: str
    namespace: str | None = Field(description="The Kubernetes namespace that was asked for; null for all")
    total_pods: int
    timestamp: datetime
    metrics: list[peer.PodMetrics]


class HealthAnswer(Answer):
    object: Literal["cluster.health"] = "cluster.health"
    message: str = "Cluster health found"
    cluster_id: UUID
    cluster_name: str
    status: str
    issues: list[str]
    recommendations: list[str]
    last_check: datetime
    metrics_summary: peer.ResourceSummary


class QueryAnswer(Answer):
    object: Literal["cluster.metrics.query"] = "cluster.metrics.query"
    message: str = "Cluster metrics found"
    cluster_id: UUID
    cluster_name: str
    from_time: datetime
    to_time: datetime
    metrics: list[peer.Series]


class StorageClassesAnswer(Answer):
    object: Literal["cluster.storage-classes"] = "cluster.storage-classes"
    message: str = "Storage classes found"
    storage_classes: list[peer.StorageClass]


class DashboardAnswer(Answer):
    object: Literal["cluster.grafana"] = "cluster.grafana"
    message: str = "Dashboard found"
    url: str
