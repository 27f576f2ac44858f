"""What budmetrics measures in clusters, and budcluster finds there: answers as far as they are read here."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from budapp.integrations.peers import Reply

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Text = Annotated[str, Field(max_length=5000)]


class Point(Reply):
    timestamp: int = Field(description="Seconds since 1970")
    value: Number = Field(description="Megabits per second")


class Sized(Reply):
    """Memory or storage, in GiB."""

    total_gib: Number = 0.0
    used_gib: Number = 0.0
    available_gib: Number = 0.0
    usage_percent: Number = 0.0
    change_percent: Number = 0.0


class Usage(Reply):
    usage_percent: Number = 0.0
    change_percent: Number = 0.0


class NetworkIn(Reply):
    inbound_mbps: Number = 0.0
    change_percent: Number = 0.0
    time_series: list[Point] = []


class NetworkOut(Reply):
    outbound_mbps: Number = 0.0
    change_percent: Number = 0.0
    time_series: list[Point] = []


class Bandwidth(Reply):
    total_mbps: Number = 0.0
    change_percent: Number = 0.0
    time_series: list[Point] = []


class Power(Reply):
    total_watt: Number = 0.0
    change_percent: Number = 0.0


class Measured(Reply):
    """What is measured of a node, or of all; what was not asked for, or is not measured, is missing."""

    memory: Sized | None = None
    cpu: Usage | None = None
    storage: Sized | None = None
    gpu: Usage | None = None
    hpu: Usage | None = None
    network_in: NetworkIn | None = None
    network_out: NetworkOut | None = None
    network_bandwidth: Bandwidth | None = None
    power: Power | None = None


class ClusterMetrics(Reply):
    nodes: dict[str, Measured] = {}
    cluster_summary: Measured
    time_range: Text
    metric_type: Text
    timestamp: Text


class BandwidthPoint(Reply):
    timestamp: int = Field(description="Seconds since 1970")
    mbps: Number = Field(description="Megabits per second")


class NodeMetrics(Reply):
    node_name: Text
    cpu_cores: Number
    cpu_usage_percent: Number
    memory_total_gb: Number
    memory_used_gb: Number
    memory_usage_percent: Number
    disk_total_gb: Number
    disk_used_gb: Number
    disk_usage_percent: Number
    load_1: Number
    load_5: Number
    load_15: Number
    network_receive_bytes_per_sec: Number = 0.0
    network_transmit_bytes_per_sec: Number = 0.0
    network_bandwidth_time_series: list[BandwidthPoint] = Field(
        default=[], description="Bandwidth by time, both ways together"
    )
    gpu_count: Count = 0
    gpu_utilization_percent: Number = 0.0
    gpu_memory_utilization_percent: Number = 0.0
    timestamp: datetime


class NodesMetrics(Reply):
    nodes: list[NodeMetrics]
    timestamp: datetime


class PodMetrics(Reply):
    namespace: Text
    pod_name: Text
    container_name: Text
    cpu_requests: Number = Field(description="Cores that the container is promised")
    cpu_limits: Number = Field(description="Cores that the container may use")
    cpu_usage: Number = Field(description="Cores that the container uses")
    memory_requests_mb: Number
    memory_limits_mb: Number
    memory_usage_mb: Number
    restarts: Count = Field(description="How often the container was restarted")
    status: Text
    timestamp: datetime


class PodsMetrics(Reply):
    namespace: Text | None = None
    pods: list[PodMetrics]
    total_pods: Count
    timestamp: datetime


class ResourceSummary(Reply):
    timestamp: datetime
    node_count: Count
    total_cpu_cores: Number
    avg_cpu_usage_percent: Number
    max_cpu_usage_percent: Number
    total_memory_gb: Number
    used_memory_gb: Number
    avg_memory_usage_percent: Number
    max_memory_usage_percent: Number
    total_disk_gb: Number
    used_disk_gb: Number
    avg_disk_usage_percent: Number
    max_disk_usage_percent: Number
    avg_load_1: Number = Field(description="Load average over 1 minute, on average over the nodes")
    avg_load_5: Number = Field(description="Load average over 5 minutes, on average over the nodes")
    avg_load_15: Number = Field(description="Load average over 15 minutes, on average over the nodes")


class ClusterHealth(Reply):
    status: Text
    issues: list[Text]
    recommendations: list[Text]
    last_check: datetime
    metrics_summary: ResourceSummary


class Series(Reply):
    metric_name: Text
    timestamps: list[datetime] = Field(description="When was measured")
    values: list[Number] = Field(description="A value for each of `timestamps`, in the unit of the metric")
    labels: dict[str, str] | None = None


class QueriedMetrics(Reply):
    from_time: datetime
    to_time: datetime
    metrics: list[Series]


class EventCounts(Reply):
    events_count: dict[str, Count]


class NodeEvent(Reply):
    event_type: Text
    reason: Text
    message: Text
    count: Count = Field(description="How often it happened")
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    source_component: Text
    source_host: Text


class NodeEvents(Reply):
    events: list[NodeEvent]
    total_events: Count


class GpuDevice(Reply):
    device_uuid: Text
    device_index: Count
    device_type: Text = Field(description="The kind of device, as budmetrics names it")
    node_name: Text
    total_memory_gb: Number
    memory_allocated_gb: Number
    memory_utilization_percent: Number
    core_utilization_percent: Number
    cores_allocated_percent: Number = Field(description="How many of its cores are promised to containers, in percent")
    shared_containers_count: Count
    hardware_mode: Text = Field(description="How containers share the device, as budmetrics names it")
    last_metrics_update: datetime
    temperature_celsius: Number | None = None
    power_watts: Number | None = None
    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    gpu_utilization_percent: Number | None = None


class GpuSlice(Reply):
    """A share of a device that a container has."""

    pod_name: Text
    pod_namespace: Text
    container_name: Text
    device_uuid: Text
    device_index: Count
    node_name: Text
    memory_limit_bytes: Count
    memory_limit_gb: Number
    memory_used_bytes: Count
    memory_used_gb: Number
    memory_utilization_percent: Number
    core_limit_percent: Number = Field(description="How many of the cores the container may use, in percent")
    core_used_percent: Number = Field(description="How many of the cores the container uses, in percent")
    gpu_utilization_percent: Number
    status: Text


class NodeGpuSummary(Reply):
    gpu_count: Count
    total_memory_gb: Number
    allocated_memory_gb: Number
    memory_utilization_percent: Number
    avg_gpu_utilization_percent: Number
    active_slices: Count


class GpuNode(NodeGpuSummary):
    node_name: Text


class ClusterGpuSummary(Reply):
    total_gpus: Count
    total_memory_gb: Number
    allocated_memory_gb: Number
    available_memory_gb: Number
    memory_utilization_percent: Number
    avg_gpu_utilization_percent: Number
    total_slices: Count
    active_slices: Count
    avg_temperature_celsius: Number | None = None
    total_power_watts: Number | None = None


class Quota(Reply):
    namespace: Text
    gpu_memory_used_mb: Number | None = None
    gpu_cores_used_percent: Number | None = None


class ClusterGpu(Reply):
    timestamp: datetime
    summary: ClusterGpuSummary
    nodes: list[GpuNode]
    devices: list[GpuDevice]
    slices: list[GpuSlice]
    quotas: list[Quota] = []


class NodeGpu(Reply):
    node_name: Text
    timestamp: datetime
    devices: list[GpuDevice]
    slices: list[GpuSlice]
    summary: NodeGpuSummary


class SliceActivity(Reply):
    slice_name: Text
    namespace: Text
    data: list[Number] = Field(description="How busy it was at each of `timestamps`, as budmetrics gives it")


class GpuSeries(Reply):
    timestamps: list[int]
    gpu_utilization: list[list[Number]]
    memory_utilization: list[list[Number]]
    temperature: list[list[Number]]
    power: list[list[Number]]
    slice_activity: list[SliceActivity] = []


class CpuSeries(Reply):
    timestamps: list[int]
    cpu_usage_percent: list[Number]
    load_1: list[Number]
    load_5: list[Number]
    load_15: list[Number]


class Hardware(Reply):
    type: Text | None = Field(default=None, description="The kind of device, such as `cuda`")
    vendor: Text | None = None
    raw_name: Text | None = None
    count: Count | None = Field(default=None, description="How many of these devices the node has")


class Kernel(Reply):
    os_release: Text | None = None
    os: Text | None = None
    kernel_version: Text | None = None
    architecture: Text | None = None


class Machine(Reply):
    """A node as budcluster knows it."""

    id: UUID
    name: Text
    internal_ip: Text | None = None
    status: bool
    core_count: Count | None = None
    hardware_info: list[Hardware] = []
    kernel_info: Kernel | None = None


class Machines(Reply):
    nodes: list[Machine]


class MachinesAnswer(Reply):
    param: Machines


class StorageClass(Reply):
    name: Text
    provisioner: Text | None = Field(default=None, description="What provides the volumes")
    default: bool = Field(default=False, description="Whether volumes are of it where no class is named")
    reclaim_policy: Text | None = Field(default=None, description="What Kubernetes does with volumes that are released")
    volume_binding_mode: Text | None = Field(default=None, description="When Kubernetes binds volumes")
    recommended_access_mode: Text | None = Field(
        default=None, description="Kubernetes access mode that budcluster recommends"
    )
    parameters: dict[str, Any] | None = None


class StorageClasses(Reply):
    storage_classes: list[StorageClass]


class StorageClassesAnswer(Reply):
    param: StorageClasses
