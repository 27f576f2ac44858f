from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from budapp.cluster_metric_ops import schemas as view
from budapp.cluster_metric_ops.services import ClusterMetrics
from budapp.cluster_ops.services import reach_cluster
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read
from budapp.commons.domain import provided
from budapp.commons.scopes import Scope

router = APIRouter(prefix="/clusters", tags=["cluster metrics"])

Metrics = Annotated[ClusterMetrics, provided(ClusterMetrics)]
Reader = Annotated[Caller, Depends(Requires(Scope.CLUSTER_VIEW, row=reach_cluster))]
Hostname = Annotated[str, Path(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_.-]+$")]
Hours = Annotated[view.SeriesQuery, Query()]


@router.get("/{cluster_id}/metrics")
async def get_cluster_metrics(
    cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics, query: Annotated[view.MetricsQuery, Query()]
) -> view.MetricsAnswer:
    """Return what is measured of a cluster and its nodes."""
    return await metrics.metrics(session, caller, cluster_id, query)


@router.get("/{cluster_id}/node-metrics")
async def get_node_metrics(cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics) -> view.NodesAnswer:
    """Return the nodes of a cluster by their names, with what is measured of them."""
    return await metrics.nodes(session, caller, cluster_id)


@router.get("/{cluster_id}/node-events/{node_hostname}")
async def get_node_events(
    cluster_id: UUID,
    node_hostname: Hostname,
    caller: Reader,
    session: Read,
    metrics: Metrics,
    query: Annotated[view.EventQuery, Query()],
) -> view.NodeEventsAnswer:
    """List what has happened to a node, the newest first; the last 1,000 events at most."""
    return await metrics.node_events(session, caller, cluster_id, node_hostname, query)


@router.get("/{cluster_id}/metrics/gpu")
async def get_gpu_metrics(cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics) -> view.GpuAnswer:
    """Return what is measured of the graphics cards of a cluster."""
    return await metrics.gpu(session, caller, cluster_id)


@router.get("/{cluster_id}/nodes/{hostname}/metrics/gpu")
async def get_node_gpu_metrics(
    cluster_id: UUID, hostname: Hostname, caller: Reader, session: Read, metrics: Metrics
) -> view.NodeGpuAnswer:
    """Return what is measured of the graphics cards of a node."""
    return await metrics.node_gpu(session, caller, cluster_id, hostname)


@router.get("/{cluster_id}/nodes/{hostname}/metrics/gpu/timeseries")
async def get_node_gpu_series(
    cluster_id: UUID, hostname: Hostname, caller: Reader, session: Read, metrics: Metrics, query: Hours
) -> view.GpuSeriesAnswer:
    """Return how the graphics cards of a node were used in the last hours."""
    return await metrics.gpu_series(session, caller, cluster_id, hostname, query.hours)


@router.get("/{cluster_id}/nodes/{hostname}/metrics/cpu/timeseries")
async def get_node_cpu_series(
    cluster_id: UUID, hostname: Hostname, caller: Reader, session: Read, metrics: Metrics, query: Hours
) -> view.CpuSeriesAnswer:
    """Return how the processors of a node were used in the last hours."""
    return await metrics.cpu_series(session, caller, cluster_id, hostname, query.hours)


@router.get("/{cluster_id}/storage-classes")
async def get_storage_classes(
    cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics
) -> view.StorageClassesAnswer:
    """List the kinds of storage that a cluster has."""
    return await metrics.storage_classes(session, caller, cluster_id)


@router.get("/{cluster_id}/grafana-dashboard")
async def get_grafana_dashboard(
    cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics
) -> view.DashboardAnswer:
    """Return the address of a cluster's dashboard; 404 where none is configured."""
    return await metrics.dashboard(session, caller, cluster_id)


@router.get("/{cluster_id}/metrics/summary")
@router.get("/clusters/{cluster_id}/metrics/summary")
async def get_metrics_summary(cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics) -> view.SummaryAnswer:
    """Return a cluster in a few numbers."""
    return await metrics.summary(session, caller, cluster_id)


@router.get("/{cluster_id}/metrics/nodes")
@router.get("/clusters/{cluster_id}/metrics/nodes")
async def list_node_metrics(
    cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics, query: Annotated[view.PeriodQuery, Query()]
) -> view.NodeMetricsAnswer:
    """List what is measured of each node."""
    return await metrics.node_metrics(session, caller, cluster_id, query)


@router.get("/{cluster_id}/metrics/pods")
@router.get("/clusters/{cluster_id}/metrics/pods")
async def list_pod_metrics(
    cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics, query: Annotated[view.PodQuery, Query()]
) -> view.PodMetricsAnswer:
    """List what is measured of each container."""
    return await metrics.pod_metrics(session, caller, cluster_id, query)


@router.get("/clusters/{cluster_id}/metrics/health")
async def get_cluster_health(cluster_id: UUID, caller: Reader, session: Read, metrics: Metrics) -> view.HealthAnswer:
    """Return whether a cluster is well."""
    return await metrics.health(session, caller, cluster_id)


@router.post("/clusters/{cluster_id}/metrics/query")
async def query_cluster_metrics(
    cluster_id: UUID, data: view.MetricsRequest, caller: Reader, session: Read, metrics: Metrics
) -> view.QueryAnswer:
    """Return metrics of a period as series."""
    return await metrics.query(session, caller, cluster_id, data)
