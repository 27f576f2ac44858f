"""What is measured in clusters: asked of budmetrics and budcluster at each look, and kept nowhere."""

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import UUID

from budapp.cluster_metric_ops import schemas as view
from budapp.cluster_metric_ops.nodes import node_views
from budapp.cluster_ops.models import Cluster
from budapp.cluster_ops.services import reach_cluster
from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import ReadSession, release
from budapp.commons.errors import NotFound, PeerFailed
from budapp.integrations import cluster_metrics as peer
from budapp.integrations.dapr import DaprClient, Peer
from budapp.integrations.peers import Json
from budapp.integrations.shared_calls import SECONDS, SharedCalls

_MAX_EVENTS = 1_000


class ClusterMetrics:
    """Looks into the clusters of a tenant.

    Every method raises `NotFound` where the cluster is out of reach or a service knows nothing of it, `PeerFailed` and
    `Unavailable` where a service fails: there is no empty success. No database connection is held meanwhile.
    """

    def __init__(self, calls: SharedCalls, dapr: DaprClient, settings: Settings) -> None:
        self._calls = calls
        self._dapr = dapr
        self._settings = settings

    async def metrics(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, query: view.MetricsQuery
    ) -> view.MetricsAnswer:
        """Return what is measured of the cluster and its nodes, and how it has changed."""
        path = await self._path(session, caller, cluster_id)
        wanted = view.MetricType.DISK if query.metric_type == view.MetricType.STORAGE else query.metric_type
        params = {"filter": query.filter, "metric_type": wanted.value}
        found = await self._calls.get(peer.ClusterMetrics, Peer.BUDMETRICS, f"{path}/prometheus-compatible", params)
        return view.MetricsAnswer(
            cluster_id=cluster_id,
            nodes={name: _measured(node) for name, node in found.nodes.items()},
            cluster_summary=_measured(found.cluster_summary),
            time_range=found.time_range,
            metric_type=query.metric_type,
            timestamp=found.timestamp,
        )

    async def nodes(self, session: ReadSession, caller: Caller, cluster_id: UUID) -> view.NodesAnswer:
        """Return the machines that budcluster knows, with what is measured of each, and how much happened there."""
        path = await self._path(session, caller, cluster_id)
        machines, measured, events = await asyncio.gather(
            self._calls.get(peer.MachinesAnswer, Peer.BUDCLUSTER, f"{_machine_path(path)}/nodes"),
            self._calls.get(peer.NodesMetrics, Peer.BUDMETRICS, f"{path}/nodes"),
            self._calls.get(peer.EventCounts, Peer.BUDMETRICS, f"{path}/node-events-count"),
        )
        return view.NodesAnswer(nodes=node_views(machines.param.nodes, measured.nodes, events.events_count))

    async def node_events(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, hostname: str, query: view.EventQuery
    ) -> view.NodeEventsAnswer:
        """Return what has happened to a machine, the newest first."""
        path = await self._path(session, caller, cluster_id)
        offset = (query.page - 1) * query.limit
        params = {"limit": min(offset + query.limit, _MAX_EVENTS)}
        found = await self._calls.get(
            peer.NodeEvents, Peer.BUDMETRICS, f"{path}/node-events/{quote(hostname, safe='')}", params
        )
        return view.NodeEventsAnswer(
            events=found.events[offset : offset + query.limit],
            page=query.page,
            limit=query.limit,
            total_record=min(found.total_events, _MAX_EVENTS),
        )

    async def gpu(self, session: ReadSession, caller: Caller, cluster_id: UUID) -> view.GpuAnswer:
        """Return what is measured of the graphics cards of the cluster."""
        path = await self._path(session, caller, cluster_id)
        found = await self._calls.get(peer.ClusterGpu, Peer.BUDMETRICS, f"{path}/hami-gpu")
        nodes = [
            view.GpuNodeView(
                **_members(node), devices=[one for one in found.devices if one.node_name == node.node_name]
            )
            for node in found.nodes
        ]
        return view.GpuAnswer(cluster_id=cluster_id, **{**_members(found), "nodes": nodes})

    async def node_gpu(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, hostname: str
    ) -> view.NodeGpuAnswer:
        """Return what is measured of the graphics cards of a machine."""
        path = await self._node_path(session, caller, cluster_id, hostname)
        found = await self._calls.get(peer.NodeGpu, Peer.BUDMETRICS, f"{path}/hami-gpu")
        return view.NodeGpuAnswer(cluster_id=cluster_id, **_members(found))

    async def gpu_series(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, hostname: str, hours: int
    ) -> view.GpuSeriesAnswer:
        """Return how the graphics cards of a machine were used in the last hours."""
        path = await self._node_path(session, caller, cluster_id, hostname)
        params = {"hours": hours}
        found = await self._calls.get(peer.GpuSeries, Peer.BUDMETRICS, f"{path}/hami-gpu/timeseries", params)
        return view.GpuSeriesAnswer(**_members(found))

    async def cpu_series(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, hostname: str, hours: int
    ) -> view.CpuSeriesAnswer:
        """Return how the processors of a machine were used in the last hours."""
        path = await self._node_path(session, caller, cluster_id, hostname)
        found = await self._calls.get(peer.CpuSeries, Peer.BUDMETRICS, f"{path}/cpu/timeseries", {"hours": hours})
        return view.CpuSeriesAnswer(**_members(found))

    async def summary(self, session: ReadSession, caller: Caller, cluster_id: UUID) -> view.SummaryAnswer:
        """Return the cluster in a few numbers."""
        cluster = await self._cluster(session, caller, cluster_id)
        path = _metrics_path(cluster)
        health, pods = await asyncio.gather(
            self._calls.get(peer.ClusterHealth, Peer.BUDMETRICS, f"{path}/health"),
            self._calls.get(peer.PodsMetrics, Peer.BUDMETRICS, f"{path}/pods"),
        )
        resources = health.metrics_summary
        return view.SummaryAnswer(
            **_named(cluster),
            total_nodes=resources.node_count,
            total_pods=pods.total_pods,
            avg_cpu_usage=resources.avg_cpu_usage_percent,
            avg_memory_usage=resources.avg_memory_usage_percent,
            avg_disk_usage=resources.avg_disk_usage_percent,
            health_status=health.status,
            resources=resources,
        )

    async def node_metrics(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, query: view.PeriodQuery
    ) -> view.NodeMetricsAnswer:
        """Return what is measured of each machine."""
        cluster = await self._cluster(session, caller, cluster_id)
        found = await self._calls.get(
            peer.NodesMetrics, Peer.BUDMETRICS, f"{_metrics_path(cluster)}/nodes", _period(query)
        )
        return view.NodeMetricsAnswer(**_named(cluster), timestamp=found.timestamp, metrics=found.nodes)

    async def pod_metrics(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, query: view.PodQuery
    ) -> view.PodMetricsAnswer:
        """Return what is measured of each container, of one namespace where asked."""
        cluster = await self._cluster(session, caller, cluster_id)
        params = {**_period(query), "namespace": query.namespace}
        found = await self._calls.get(peer.PodsMetrics, Peer.BUDMETRICS, f"{_metrics_path(cluster)}/pods", params)
        more = {"namespace": found.namespace, "total_pods": found.total_pods, "timestamp": found.timestamp}
        return view.PodMetricsAnswer(**_named(cluster), metrics=found.pods, **more)

    async def health(self, session: ReadSession, caller: Caller, cluster_id: UUID) -> view.HealthAnswer:
        """Return whether the cluster is well, and what to do where it is not."""
        cluster = await self._cluster(session, caller, cluster_id)
        found = await self._calls.get(peer.ClusterHealth, Peer.BUDMETRICS, f"{_metrics_path(cluster)}/health")
        return view.HealthAnswer(**_named(cluster), **_members(found))

    async def query(
        self, session: ReadSession, caller: Caller, cluster_id: UUID, request: view.MetricsRequest
    ) -> view.QueryAnswer:
        """Return metrics of a period as series."""
        cluster = await self._cluster(session, caller, cluster_id)
        body = {**request.model_dump(mode="json", exclude_none=True), "cluster_id": str(cluster.cluster_id)}
        answer = await self._dapr.invoke(
            Peer.BUDMETRICS, "POST", "cluster-metrics/query", json=body, timeout=SECONDS, idempotent=True
        )
        try:
            found = peer.QueriedMetrics.model_validate(answer)
        except ValueError as error:
            raise PeerFailed from error
        return view.QueryAnswer(**_named(cluster), **_members(found))

    async def storage_classes(
        self, session: ReadSession, caller: Caller, cluster_id: UUID
    ) -> view.StorageClassesAnswer:
        """Return the kinds of storage that the cluster has."""
        path = await self._path(session, caller, cluster_id)
        found = await self._calls.get(
            peer.StorageClassesAnswer, Peer.BUDCLUSTER, f"{_machine_path(path)}/storage-classes"
        )
        return view.StorageClassesAnswer(storage_classes=found.param.storage_classes)

    async def dashboard(self, session: ReadSession, caller: Caller, cluster_id: UUID) -> view.DashboardAnswer:
        """Return the address of the cluster's dashboard, where one is configured."""
        cluster = await self._cluster(session, caller, cluster_id)
        address = self._settings.grafana_cluster_url
        if address is None:
            raise NotFound("No dashboard is configured: GRAFANA_CLUSTER_URL")
        return view.DashboardAnswer(url=address.replace("{cluster_id}", str(cluster.cluster_id)))

    async def _cluster(self, session: ReadSession, caller: Caller, cluster_id: UUID) -> Cluster:
        cluster = await reach_cluster(session, caller, cluster_id)
        await release(session)
        if cluster.cluster_id is None:
            raise NotFound("budcluster does not know the cluster")
        return cluster

    async def _path(self, session: ReadSession, caller: Caller, cluster_id: UUID) -> str:
        return _metrics_path(await self._cluster(session, caller, cluster_id))

    async def _node_path(self, session: ReadSession, caller: Caller, cluster_id: UUID, hostname: str) -> str:
        return f"{await self._path(session, caller, cluster_id)}/nodes/{quote(hostname, safe='')}"


def _metrics_path(cluster: Cluster) -> str:
    return f"cluster-metrics/{cluster.cluster_id}"


def _machine_path(metrics_path: str) -> str:
    return metrics_path.replace("cluster-metrics/", "cluster/")


def _members(found: Any) -> Json:
    return {name: getattr(found, name) for name in type(found).model_fields}


def _named(cluster: Cluster) -> Json:
    return {"cluster_id": cluster.id, "cluster_name": cluster.name}


def _period(query: view.PeriodQuery) -> Json:
    """Return the period in budmetrics' words."""
    named = {"from_time": query.start_time, "to_time": query.end_time}
    return {name: moment.isoformat() for name, moment in named.items() if moment is not None}


def _measured(found: peer.Measured) -> view.MeasuredView:
    power = found.power
    shown = view.PowerView(total_watts=power.total_watt, change_percent=power.change_percent) if power else None
    return view.MeasuredView(**{**_members(found), "power": shown})
