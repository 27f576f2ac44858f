"""What budcluster and budmetrics know of a cluster's machines: the same whenever it is asked for, from their names."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from peers.clusters import Cluster, Node
from peers.sidecar import Sidecar

_EVENTS_KEPT = 200


def share(text: str) -> float:
    """Return a number from 0 to 1 that belongs to a text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) / 0xFFFF


def node_id(cluster_id: UUID, name: str) -> str:
    """Return budcluster's id of a machine."""
    return str(uuid5(NAMESPACE_URL, f"{cluster_id}/{name}"))


def node_info(cluster: Cluster, node: Node) -> dict[str, Any]:
    """Return a machine as `GET /cluster/{cluster_id}/nodes` shows it (`ClusterNodeInfoResponse`)."""
    now = datetime.now(UTC).isoformat()
    workers = sum(device.available_count for device in node.devices)
    return {
        "id": node_id(cluster.id, node.name),
        "cluster_id": str(cluster.id),
        "name": node.name,
        "internal_ip": f"10.0.{int(share(str(cluster.id)) * 250)}.{int(share(node.name) * 250) + 2}",
        "type": "gpu" if any(not device.type.startswith("cpu") for device in node.devices) else "cpu",
        "total_workers": workers,
        "available_workers": workers if node.status else 0,
        "used_workers": 0,
        "threads_per_core": 2,
        "core_count": next((device.cores or 0 for device in node.devices if device.type.startswith("cpu")), 0),
        "hardware_info": [_hardware(device.model_dump()) for device in node.devices],
        "status": node.status,
        "status_sync_at": now,
        "created_at": now,
        "modified_at": now,
    }


def _hardware(device: dict[str, Any]) -> dict[str, Any]:
    vendor = "Intel" if device["type"].startswith("cpu") else "NVIDIA"
    raw = f"{vendor} {device['name']}"
    return {**device, "vendor": vendor, "raw_name": raw, "count": device["available_count"]}


def status_result(cluster: Cluster, status: str, reason: str | None) -> dict[str, Any]:
    """Return what a status event carries of a cluster."""
    nodes = [node_facts(cluster, node) for node in cluster.nodes] if status == "available" else []
    found = {"cluster_id": str(cluster.id), "status": status, "node_info": {"id": str(cluster.id), "nodes": nodes}}
    return {**found, "reason": reason} if reason else found


def node_facts(cluster: Cluster, node: Node) -> dict[str, Any]:
    """Return a machine as the results of a registration and the status events have it."""
    return {**node.model_dump(mode="json"), "id": node_id(cluster.id, node.name)}


STORAGE_CLASSES = [
    {
        "name": "local-path",
        "provisioner": "rancher.io/local-path",
        "default": True,
        "reclaim_policy": "Delete",
        "volume_binding_mode": "WaitForFirstConsumer",
        "recommended_access_mode": "ReadWriteOnce",
    },
    {
        "name": "nfs-shared",
        "provisioner": "nfs.csi.k8s.io",
        "default": False,
        "reclaim_policy": "Retain",
        "volume_binding_mode": "Immediate",
        "recommended_access_mode": "ReadWriteMany",
    },
]


class ClusterEvents:
    """The events of machines, in the state store, so that budmetrics shows what happens at budcluster."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def of_node(self, cluster_id: UUID, name: str) -> list[dict[str, Any]]:
        """Return what has happened to a machine, the newest first."""
        return [event for event in await self._all(cluster_id) if event["node_name"] == name]

    async def counts(self, cluster_id: UUID) -> dict[str, int]:
        """Return how often something has happened to each machine."""
        counts: dict[str, int] = {}
        for event in await self._all(cluster_id):
            counts[event["node_name"]] = counts.get(event["node_name"], 0) + event["count"]
        return counts

    async def add(self, cluster_id: UUID, node_name: str, *, kind: str, reason: str, message: str) -> None:
        """Have something happen to a machine."""
        now = datetime.now(UTC).isoformat()
        event = {
            "node_name": node_name,
            "event_type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "first_timestamp": now,
            "last_timestamp": now,
            "source_component": "node-controller",
            "source_host": node_name,
        }
        saved = False
        while not saved:
            stored, etag = await self._sidecar.get_state(_key(cluster_id))
            events = [event, *(stored or [])][:_EVENTS_KEPT]
            saved = await self._sidecar.save_state(_key(cluster_id), events, etag)

    async def _all(self, cluster_id: UUID) -> list[dict[str, Any]]:
        stored, _ = await self._sidecar.get_state(_key(cluster_id))
        return list(stored or [])


def _key(cluster_id: UUID) -> str:
    return f"cluster_events_{cluster_id}"
