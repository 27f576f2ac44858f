"""The deployments that budcluster keeps: their workers and adapters, how they are, and what it tells of that."""

import hashlib
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, Field

from peers.clusters import Cluster
from peers.sidecar import Sidecar
from peers.work import StepFailed

Status = Literal["ready", "pending", "ingress_failed", "endpoints_failed", "failed", "error"]
SUPPORTED = {
    "/v1/chat/completions": True,
    "/v1/completions": True,
    "/v1/embeddings": True,
    "/v1/audio/transcriptions": False,
}
_LINES = ("Loading the model", "The model is loaded", "Listening on port 8000", "Application startup complete")


class Worker(BaseModel):
    """A worker, as budcluster shows it."""

    id: UUID
    cluster_id: UUID
    namespace: str
    name: str
    status: str = "Running"
    node_name: str
    device_name: str
    utilization: str
    hardware: str
    uptime: str = "1m"
    last_restart_datetime: datetime | None = None
    last_updated_datetime: datetime
    created_datetime: datetime
    node_ip: str
    cores: int
    memory: str
    deployment_name: str
    deployment_status: Status = "ready"
    reason: str | None = None
    concurrency: int


class Deployment(BaseModel):
    """A model that runs in a cluster, in a namespace of its own.

    `confirmed` tells whether its results were told; before that, cancelling the work takes it away.
    """

    namespace: str
    cluster_id: UUID
    endpoint_name: str
    model: str
    concurrency: int
    topics: list[str]
    work_id: UUID | None = None
    confirmed: bool = False
    status: Status = "pending"
    reason: str | None = None
    workers: list[Worker] = Field(default_factory=list)
    adapters: dict[str, str] = Field(default_factory=dict, description="Name → where its files are")
    budaiscaler: dict[str, Any] | None = None

    def add_worker(self, cluster: Cluster, concurrency: int) -> None:
        """Put in one more worker, on the node that has the fewest."""
        self.workers.append(_worker(self, cluster, concurrency))

    def told_workers(self) -> list[dict[str, Any]]:
        """Return the workers, with how the deployment is."""
        up = self.status == "ready"
        about = {"deployment_status": self.status, "reason": self.reason}
        shown = [one.model_copy(update={**about, "status": one.status if up else "Failed"}) for one in self.workers]
        return [one.model_dump(mode="json") for one in shown]

    def logs(self, worker: Worker) -> list[dict[str, str]]:
        """Return what a worker has written so far."""
        when = worker.created_datetime.isoformat()
        return [{"timestamp": when, "message": f"{line}: {self.model}"} for line in _LINES]


class Deployments:
    """All of them, in memory."""

    def __init__(self, sidecar: Sidecar, own_topic: str) -> None:
        self._sidecar = sidecar
        self._own_topic = own_topic
        self.by_namespace: dict[str, Deployment] = {}

    def find(self, namespace: str, cluster_id: UUID | None = None) -> Deployment | None:
        """Return the deployment in the namespace, of that cluster where one is named."""
        found = self.by_namespace.get(namespace)
        return found if found is not None and cluster_id in {None, found.cluster_id} else None

    def require(self, namespace: str, cluster_id: UUID) -> Deployment:
        """Return the deployment, or raise `StepFailed`."""
        found = self.find(namespace, cluster_id)
        if found is None:
            raise StepFailed("Deployment not found")
        return found

    def worker(self, worker_id: UUID) -> tuple[Deployment, Worker] | None:
        """Return a worker and what it belongs to."""
        for deployment in self.by_namespace.values():
            for worker in deployment.workers:
                if worker.id == worker_id:
                    return deployment, worker
        return None

    def drop_work(self, work_id: UUID) -> bool:
        """Take away what work has made that has not told its results; return whether there was something."""
        found = [one for one in self.by_namespace.values() if one.work_id == work_id and not one.confirmed]
        for one in found:
            del self.by_namespace[one.namespace]
        return bool(found)

    def drop_cluster(self, cluster_id: UUID) -> None:
        """Forget all that runs in a cluster."""
        self.by_namespace = {name: one for name, one in self.by_namespace.items() if one.cluster_id != cluster_id}

    async def tell_status(self, deployment: Deployment) -> None:
        """Publish how a deployment is, to whom asked for it.

        Raises:
            httpx.HTTPError: the sidecar does not take it.
        """
        result = {
            "deployment_name": deployment.namespace,
            "cluster_id": str(deployment.cluster_id),
            "status": deployment.status,
            "reason": deployment.reason,
            "worker_data_list": deployment.told_workers(),
            "replicas": {"total": len(deployment.workers)},
            "supported_endpoints": SUPPORTED,
        }
        message = f"Deployment {deployment.namespace} status update"
        content = {"title": "Deployment status updated", "message": message, "status": "COMPLETED", "result": result}
        payload = {
            "category": "internal",
            "type": "deployment-status-update",
            "event": "results",
            "workflow_id": "",
            "source": "budcluster",
            "content": {**content, "primary_action": None, "secondary_action": None},
        }
        for topic in deployment.topics:
            envelope = {"notification_type": "topic", "name": "bud-internal", "topic_keys": [topic], "payload": payload}
            whole = {**envelope, "subscriber_ids": None, "actor": None, "source": None, "source_topic": self._own_topic}
            now = datetime.now(UTC).isoformat()
            await self._sidecar.publish(topic, {**whole, "type": "notification", "time": now})


def _worker(deployment: Deployment, cluster: Cluster, concurrency: int) -> Worker:
    busy = [worker.node_name for worker in deployment.workers]
    node = min(cluster.nodes, key=lambda node: (busy.count(node.name), node.name))
    device = max(node.devices, key=lambda device: device.type != "cpu")
    number, now = len(deployment.workers) + 1, datetime.now(UTC)
    share = int(hashlib.sha256(f"{deployment.namespace} {number}".encode()).hexdigest()[:2], 16)
    return Worker(
        id=uuid4(),
        cluster_id=deployment.cluster_id,
        namespace=deployment.namespace,
        name=f"{deployment.namespace}-worker-{uuid4().hex[:5]}",
        node_name=node.name,
        device_name=device.name,
        utilization=str(share % 100),
        hardware="CPU" if device.type == "cpu" else "GPU",
        last_updated_datetime=now,
        created_datetime=now,
        node_ip=f"10.0.0.{cluster.nodes.index(node) + 10}",
        cores=device.cores or 16,
        memory=f"{device.memory_gb or device.mem_per_GPU_in_GB:.0f}GB",
        deployment_name=deployment.endpoint_name,
        concurrency=concurrency,
    )
