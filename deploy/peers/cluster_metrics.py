"""The part of the stand-in for budmetrics that measures clusters: figures that follow from names and the clock."""

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, Field

from peers.cluster_nodes import ClusterEvents, share
from peers.clusters import Cluster, Clusters, Node
from peers.sidecar import Sidecar

_PARTS = {
    "all": ("memory", "cpu", "storage", "network_in", "network_out", "network_bandwidth", "power"),
    "memory": ("memory",),
    "cpu": ("cpu",),
    "disk": ("storage",),
    "gpu": ("gpu",),
    "hpu": ("hpu",),
    "network_bandwidth": ("network_in", "network_out", "network_bandwidth"),
    "power": ("power",),
}
_HOURS = {"today": 24, "7days": 168, "month": 720}


class MetricsQuery(BaseModel):
    """The body of `POST /cluster-metrics/query`."""

    cluster_id: UUID
    from_time: datetime
    to_time: datetime
    metric_names: list[str] | None = None
    aggregation: str | None = "avg"
    interval: Literal["1m", "5m", "15m", "30m", "1h", "6h", "12h", "1d"] | None = Field(default="5m")


class ClusterMetrics:
    """The routes about clusters."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._clusters = Clusters(sidecar)
        self._events = ClusterEvents(sidecar)

    async def prometheus(self, cluster_id: UUID, filter: str = "today", metric_type: str = "all") -> dict[str, Any]:
        """Return what is measured, as budapp's screens have it."""
        cluster = await self._found(cluster_id)
        parts = _PARTS.get(metric_type)
        if parts is None or filter not in _HOURS:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_ENTITY, "Unknown filter or metric_type")
        return {
            "nodes": {node.name: _measured(node.name, parts, _HOURS[filter]) for node in _up(cluster)},
            "cluster_summary": _measured(str(cluster.id), parts, _HOURS[filter]),
            "time_range": filter,
            "metric_type": metric_type,
            "timestamp": _now(),
            "cluster_id": str(cluster.id),
        }

    async def nodes(
        self, cluster_id: UUID, from_time: datetime | None = None, to_time: datetime | None = None
    ) -> dict[str, Any]:
        """Return what is measured of each machine."""
        cluster = await self._found(cluster_id)
        return {**_about(cluster), "nodes": [_node(node) for node in _up(cluster)], "timestamp": _now()}

    async def pods(
        self,
        cluster_id: UUID,
        namespace: str | None = None,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        limit: int = 100,
    ) -> dict[str, Any]:
        """Return what is measured of each container."""
        cluster = await self._found(cluster_id)
        pods = [_pod(node, space) for node in _up(cluster) for space in ("bud-system", "monitoring")]
        found = [pod for pod in pods if namespace in {None, pod["namespace"]}]
        return {
            **_about(cluster),
            "namespace": namespace,
            "pods": found[:limit],
            "total_pods": len(found),
            "timestamp": _now(),
        }

    async def summary(self, cluster_id: UUID) -> dict[str, Any]:
        """Return the means of all machines."""
        return _summary(await self._found(cluster_id))

    async def health(self, cluster_id: UUID) -> dict[str, Any]:
        """Return whether the cluster is well."""
        cluster = await self._found(cluster_id)
        down = [node.name for node in cluster.nodes if not node.status]
        return {
            **_about(cluster),
            "status": "degraded" if down else "healthy",
            "issues": [f"Node {name} is not ready" for name in down],
            "recommendations": [f"Look at node {name}" for name in down],
            "last_check": _now(),
            "metrics_summary": _summary(cluster),
        }

    async def event_counts(self, cluster_id: UUID) -> dict[str, Any]:
        """Return how often something has happened to each machine."""
        await self._found(cluster_id)
        return {"cluster_id": str(cluster_id), "events_count": await self._events.counts(cluster_id)}

    async def node_events(self, cluster_id: UUID, node_name: str, limit: int = 100) -> dict[str, Any]:
        """Return what has happened to a machine."""
        cluster = await self._found(cluster_id)
        name = _node_of(cluster, node_name).name
        events = await self._events.of_node(cluster_id, name)
        shown = [{key: value for key, value in event.items() if key != "node_name"} for event in events[:limit]]
        return {"cluster_id": str(cluster_id), "node_name": name, "events": shown, "total_events": len(events)}

    async def gpu(self, cluster_id: UUID) -> dict[str, Any]:
        """Return what is measured of all graphics cards."""
        cluster = await self._found(cluster_id)
        of_nodes = [(node.name, _gpus(node)) for node in _up(cluster)]
        devices = [device for _, found in of_nodes for device in found]
        slices = [_slice(device) for device in devices]
        total, used = _sum(devices, "total_memory_gb"), _sum(devices, "memory_allocated_gb")
        return {
            "cluster_id": str(cluster_id),
            "timestamp": _now(),
            "summary": {
                "total_gpus": len(devices),
                "total_memory_gb": total,
                "allocated_memory_gb": used,
                "available_memory_gb": total - used,
                "memory_utilization_percent": round(100 * used / total, 2) if total else 0.0,
                "avg_gpu_utilization_percent": _mean(devices, "gpu_utilization_percent"),
                "total_slices": len(slices),
                "active_slices": len(slices),
                "avg_temperature_celsius": _mean(devices, "temperature_celsius"),
                "total_power_watts": _sum(devices, "power_watts"),
            },
            "nodes": [{"node_name": name, **_gpu_summary(found)} for name, found in of_nodes],
            "devices": devices,
            "slices": slices,
        }

    async def node_gpu(self, cluster_id: UUID, hostname: str) -> dict[str, Any]:
        """Return what is measured of the graphics cards of a machine."""
        devices = _gpus(_node_of(await self._found(cluster_id), hostname))
        return {
            "cluster_id": str(cluster_id),
            "node_name": hostname,
            "timestamp": _now(),
            "devices": devices,
            "slices": [_slice(device) for device in devices],
            "summary": _gpu_summary(devices),
        }

    async def gpu_series(self, cluster_id: UUID, hostname: str, hours: int = 6) -> dict[str, Any]:
        """Return how the graphics cards of a machine were used."""
        devices = _gpus(_node_of(await self._found(cluster_id), hostname))
        moments = _moments(hours)

        def of_all(what: str, whole: float) -> list[list[float]]:
            return [[_wave(f"{one['device_uuid']} {what}", moment, whole) for moment in moments] for one in devices]

        activity = [
            {"slice_name": f"{one['device_uuid']}-0", "namespace": "bud-system", "data": [1.0] * len(moments)}
            for one in devices
        ]
        return {
            "timestamps": moments,
            "gpu_utilization": of_all("use", 100),
            "memory_utilization": of_all("memory", 100),
            "temperature": of_all("heat", 80),
            "power": of_all("power", 400),
            "slice_activity": activity,
        }

    async def cpu_series(self, cluster_id: UUID, hostname: str, hours: int = 6) -> dict[str, Any]:
        """Return how the processors of a machine were used."""
        name = _node_of(await self._found(cluster_id), hostname).name
        moments = _moments(hours)
        series = {"cpu_usage_percent": 100.0, "load_1": 32.0, "load_5": 32.0, "load_15": 32.0}
        of_all = {
            what: [_wave(f"{name} {what}", moment, whole) for moment in moments] for what, whole in series.items()
        }
        return {"timestamps": moments, **of_all}

    async def query(self, request: MetricsQuery) -> dict[str, Any]:
        """Return metrics of a period as series."""
        cluster = await self._found(request.cluster_id)
        count = max(1, min(50, int((request.to_time - request.from_time).total_seconds() // 300)))
        moments = [request.from_time + timedelta(seconds=300 * number) for number in range(count)]
        series = [
            {
                "metric_name": name,
                "timestamps": [moment.isoformat() for moment in moments],
                "values": [_wave(f"{cluster.id} {name}", int(moment.timestamp()), 100) for moment in moments],
                "labels": {"aggregation": request.aggregation or "avg"},
            }
            for name in request.metric_names or ["cpu_usage"]
        ]
        period = {"from_time": request.from_time.isoformat(), "to_time": request.to_time.isoformat()}
        return {**_about(cluster), **period, "metrics": series}

    async def _found(self, cluster_id: UUID) -> Cluster:
        cluster = await self._clusters.find(cluster_id)
        if cluster is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "No metrics of this cluster")
        return cluster


def _up(cluster: Cluster) -> list[Node]:
    return [node for node in cluster.nodes if node.status]


def _node_of(cluster: Cluster, name: str) -> Node:
    node = next((node for node in cluster.nodes if node.name == name), None)
    if node is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No metrics of this node")
    return node


def _about(cluster: Cluster) -> dict[str, Any]:
    return {"cluster_id": str(cluster.id), "cluster_name": "cluster"}


def _moment() -> int:
    """Return when was measured last: that is done every five minutes."""
    return int(time.time()) // 300 * 300


def _now() -> str:
    return datetime.fromtimestamp(_moment(), UTC).isoformat()


def _moments(hours: int) -> list[int]:
    """Return the times of a series, in steps of five minutes, 300 at most."""
    step = max(300, hours * 3600 // 300)
    last = int(time.time()) // step * step
    return [last - step * number for number in range(hours * 3600 // step)][::-1]


def _wave(name: str, moment: int, whole: float) -> float:
    """Return how much is used at a time: it goes up and down with the hours."""
    swing = 0.5 + 0.4 * math.sin(moment / 3600 + 6 * share(name))
    return round(whole * swing, 2)


def _measured(name: str, parts: tuple[str, ...], hours: int) -> dict[str, Any]:
    use = _wave(name, _moment(), 100)
    change = round(10 * share(name) - 5, 2)
    memory = {"total_gib": 256.0, "used_gib": round(2.56 * use, 2), "available_gib": round(256 - 2.56 * use, 2)}
    points = [{"timestamp": moment, "value": _wave(name, moment, 900)} for moment in _moments(min(hours, 24))]
    everything = {
        "memory": {**memory, "usage_percent": use, "change_percent": change},
        "cpu": {"usage_percent": use, "change_percent": change},
        "storage": {**memory, "usage_percent": use, "change_percent": change},
        "gpu": {"usage_percent": use, "change_percent": change},
        "hpu": {"usage_percent": 0.0, "change_percent": 0.0},
        "network_in": {"inbound_mbps": 400.0, "change_percent": change, "time_series": points},
        "network_out": {"outbound_mbps": 300.0, "change_percent": change, "time_series": points},
        "network_bandwidth": {"total_mbps": 700.0, "change_percent": change, "time_series": points},
        "power": {"total_watt": 1200.0, "change_percent": change},
    }
    return {part: everything[part] for part in parts}


def _node(node: Node) -> dict[str, Any]:
    use, moment = _wave(node.name, _moment(), 100), _moment()
    gpus = sum(device.available_count for device in node.devices if not device.type.startswith("cpu"))
    return {
        "node_name": node.name,
        "cpu_cores": float(next((device.cores or 0 for device in node.devices if device.type.startswith("cpu")), 0)),
        "cpu_usage_percent": use,
        "memory_total_gb": 256.0,
        "memory_used_gb": round(2.56 * use, 2),
        "memory_usage_percent": use,
        "disk_total_gb": 1000.0,
        "disk_used_gb": 250.0,
        "disk_usage_percent": 25.0,
        "load_1": round(use / 10, 2),
        "load_5": round(use / 11, 2),
        "load_15": round(use / 12, 2),
        "network_receive_bytes_per_sec": 50_000_000.0,
        "network_transmit_bytes_per_sec": 40_000_000.0,
        "network_bandwidth_time_series": [
            {"timestamp": moment - 300, "mbps": 700.0},
            {"timestamp": moment, "mbps": 720.0},
        ],
        "gpu_count": gpus,
        "gpu_utilization_percent": use if gpus else 0.0,
        "gpu_memory_utilization_percent": use if gpus else 0.0,
        "timestamp": _now(),
    }


def _pod(node: Node, namespace: str) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "pod_name": f"agent-{node.name}",
        "container_name": "agent",
        "cpu_requests": 0.1,
        "cpu_limits": 1.0,
        "cpu_usage": round(share(f"{node.name} {namespace}"), 3),
        "memory_requests_mb": 128.0,
        "memory_limits_mb": 512.0,
        "memory_usage_mb": 200.0,
        "restarts": 0,
        "status": "Running",
        "timestamp": _now(),
    }


def _summary(cluster: Cluster) -> dict[str, Any]:
    nodes = [_node(node) for node in _up(cluster)]
    means = {f"avg_{name}": _mean(nodes, name) for name in ("load_1", "load_5", "load_15")}
    for what in ("cpu", "memory", "disk"):
        means[f"avg_{what}_usage_percent"] = _mean(nodes, f"{what}_usage_percent")
        means[f"max_{what}_usage_percent"] = max((node[f"{what}_usage_percent"] for node in nodes), default=0.0)
    return {
        **_about(cluster),
        "timestamp": _now(),
        "node_count": len(nodes),
        "total_cpu_cores": _sum(nodes, "cpu_cores"),
        "total_memory_gb": _sum(nodes, "memory_total_gb"),
        "used_memory_gb": _sum(nodes, "memory_used_gb"),
        "total_disk_gb": _sum(nodes, "disk_total_gb"),
        "used_disk_gb": _sum(nodes, "disk_used_gb"),
        **means,
    }


def _gpus(node: Node) -> list[dict[str, Any]]:
    kinds = [device for device in node.devices if not device.type.startswith("cpu")]
    return [
        _gpu(node.name, device.name, number, device.mem_per_GPU_in_GB)
        for device in kinds
        for number in range(device.available_count)
    ]


def _gpu(node_name: str, kind: str, number: int, memory: float) -> dict[str, Any]:
    uuid = f"GPU-{node_name}-{kind}-{number}"
    use = _wave(uuid, _moment(), 100)
    return {
        "device_uuid": uuid,
        "device_index": number,
        "device_type": kind,
        "node_name": node_name,
        "total_memory_gb": memory,
        "memory_allocated_gb": round(memory / 4, 2),
        "memory_utilization_percent": 25.0,
        "core_utilization_percent": use,
        "cores_allocated_percent": 50.0,
        "shared_containers_count": 1,
        "hardware_mode": "time-slicing",
        "last_metrics_update": _now(),
        "temperature_celsius": round(30 + use / 2, 1),
        "power_watts": round(50 + 3 * use, 1),
        "sm_clock_mhz": 1410,
        "memory_clock_mhz": 1593,
        "gpu_utilization_percent": use,
    }


def _slice(device: dict[str, Any]) -> dict[str, Any]:
    limit = int(device["memory_allocated_gb"] * 1024**3)
    return {
        "pod_name": f"agent-{device['node_name']}",
        "pod_namespace": "bud-system",
        "container_name": "agent",
        "device_uuid": device["device_uuid"],
        "device_index": device["device_index"],
        "node_name": device["node_name"],
        "memory_limit_bytes": limit,
        "memory_limit_gb": device["memory_allocated_gb"],
        "memory_used_bytes": limit // 2,
        "memory_used_gb": round(device["memory_allocated_gb"] / 2, 2),
        "memory_utilization_percent": 50.0,
        "core_limit_percent": 50.0,
        "core_used_percent": round(device["core_utilization_percent"] / 2, 2),
        "gpu_utilization_percent": device["gpu_utilization_percent"],
        "status": "running",
    }


def _gpu_summary(devices: list[dict[str, Any]]) -> dict[str, Any]:
    total, used = _sum(devices, "total_memory_gb"), _sum(devices, "memory_allocated_gb")
    return {
        "gpu_count": len(devices),
        "total_memory_gb": total,
        "allocated_memory_gb": used,
        "memory_utilization_percent": round(100 * used / total, 2) if total else 0.0,
        "avg_gpu_utilization_percent": _mean(devices, "gpu_utilization_percent"),
        "active_slices": len(devices),
    }


def _sum(rows: list[dict[str, Any]], name: str) -> float:
    return round(float(sum(row[name] for row in rows)), 2)


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    return round(_sum(rows, name) / len(rows), 2) if rows else 0.0


def router(sidecar: Sidecar) -> APIRouter:
    """Return the routes of the contract about clusters."""
    metrics = ClusterMetrics(sidecar)
    routes = APIRouter(prefix="/cluster-metrics")
    node = "/{cluster_id}/nodes/{hostname}"
    for path, function in (
        ("/{cluster_id}/prometheus-compatible", metrics.prometheus),
        ("/{cluster_id}/nodes", metrics.nodes),
        ("/{cluster_id}/pods", metrics.pods),
        ("/{cluster_id}/summary", metrics.summary),
        ("/{cluster_id}/health", metrics.health),
        ("/{cluster_id}/node-events-count", metrics.event_counts),
        ("/{cluster_id}/node-events/{node_name}", metrics.node_events),
        ("/{cluster_id}/hami-gpu", metrics.gpu),
        (f"{node}/hami-gpu", metrics.node_gpu),
        (f"{node}/hami-gpu/timeseries", metrics.gpu_series),
        (f"{node}/cpu/timeseries", metrics.cpu_series),
    ):
        routes.add_api_route(path, function, methods=["GET"])
    routes.add_api_route("/query", metrics.query, methods=["POST"])
    return routes
