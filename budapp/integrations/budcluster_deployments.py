"""budcluster, as far as it runs models: deployments, their workers and adapters, and how they scale."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, ValidationError

from budapp.commons.errors import BadRequest, PeerFailed
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from budapp.integrations.peers import Json, PeerCall, Reply, StepAnswer, T

_SECONDS = 10
_RELEASE = "bud-runtime-container"

DEPLOYMENT_STEPS = (
    StepAnswer(id="verify_cluster_connection", title="Verifying cluster connection"),
    StepAnswer(id="transfer_model_to_cluster", title="Transferring model to cluster"),
    StepAnswer(id="deploy_to_engine", title="Deploying model to engine"),
    StepAnswer(id="verify_deployment_status", title="Verifying deployment status"),
    StepAnswer(id="run_performance_benchmark", title="Running performance benchmark"),
)
DELETION_STEPS = (StepAnswer(id="delete_namespace", title="Deleting model deployment"),)
WORKER_DELETION_STEPS = (StepAnswer(id="delete_worker", title="Deleting worker"),)
ADAPTER_STEPS = (
    StepAnswer(id="verify_cluster_connection", title="Verifying cluster connection"),
    StepAnswer(id="transfer_adapter_to_cluster", title="Transferring Adapter to cluster"),
    StepAnswer(id="deploy_adapter", title="Deploying adapter"),
    StepAnswer(id="adapter_status", title="Adapter status"),
)
ADAPTER_DELETION_STEPS = (StepAnswer(id="perform_delete_adapter", title="Deleting adapter"),)

Count = Annotated[int, Field(ge=0, le=1_000_000)]


def _names_that_hold(value: Any) -> Any:
    """Take both forms that budcluster uses: a list of paths, or whether each path is served."""
    return [name for name, holds in value.items() if holds] if isinstance(value, Mapping) else value


Paths = Annotated[list[str], BeforeValidator(_names_that_hold), Field(max_length=100)]


RUNNING = "Running"
"""How budcluster calls a worker that answers."""


class Worker(Reply):
    """A worker of a deployment, as results tell of it."""

    name: str = ""
    status: str = ""
    node_name: str = ""


class Replicas(Reply):
    total: Count = 0


class DeploymentStatus(Reply):
    replicas: Replicas = Replicas()
    worker_data_list: list[Worker] = Field(default=[], max_length=10_000)
    supported_endpoints: Paths = []

    @property
    def running_on(self) -> list[str]:
        """The nodes that a worker runs on."""
        return list(dict.fromkeys(worker.node_name for worker in self.worker_data_list if worker.status == RUNNING))

    @property
    def active(self) -> int:
        """How many workers run."""
        return sum(worker.status == RUNNING for worker in self.worker_data_list)


class Benchmark(Reply):
    """What the benchmark at the end of a deployment says."""

    deployment_url: str = Field(min_length=1, max_length=1000)
    concurrency: Count | None = None


class DeploymentResult(Reply):
    """The result of a deployment."""

    namespace: str = Field(min_length=1, max_length=300)
    cluster_id: UUID
    credential_id: UUID | None = None
    number_of_nodes: Count = 0
    deployment_status: DeploymentStatus = DeploymentStatus()
    deploy_config: list[Json] = Field(default=[], max_length=1000)
    supported_endpoints: Paths = []
    result: Benchmark


class More(Reply):
    concurrency: Count | None = None


class AddedWorkers(Reply):
    """The result of adding workers: how the deployment is afterwards."""

    deployment_status: DeploymentStatus
    result: More = More()


class WorkersLeft(Reply):
    """The result of deleting a worker."""

    worker_data_list: list[Worker] | None = Field(default=None, max_length=10_000)


class AdapterResult(Reply):
    """The result of loading an adapter; clients name it by `deployment_name`."""

    adapter_status: bool
    deployment_name: str = Field(min_length=1, max_length=500)


def deploy(*, cluster_id: str, endpoint_name: str, model: str | None, concurrency: int, **more: Any) -> PeerCall:
    """Return the call that deploys a model on a cluster, or adds workers to a deployment; result: `DeploymentResult`.

    Args:
        cluster_id: budcluster's id of the cluster.
        endpoint_name: of the deployment.
        model: where the model's files are.
        concurrency: requests at once.
        more: the optional fields of the contract; those that are None are left out.
    """
    given = {name: value for name, value in more.items() if value is not None}
    body: Json = {"cluster_id": cluster_id, "endpoint_name": endpoint_name, "model": model, "concurrency": concurrency}
    return PeerCall(Peer.BUDCLUSTER, "POST", "deployment", {**body, **given})


def delete_deployment(cluster_id: UUID | str, namespace: str) -> PeerCall:
    """Return the call that takes a deployment off its cluster; one that is gone already is no error."""
    body: Json = {"cluster_id": str(cluster_id), "namespace": namespace}
    return PeerCall(Peer.BUDCLUSTER, "POST", "deployment/delete", body)


class WorkerInfo(Reply):
    """A worker, as budcluster shows it."""

    id: UUID
    cluster_id: UUID | None = None
    namespace: str | None = None
    name: str
    status: str
    node_name: str
    device_name: str
    utilization: str | None = None
    hardware: str
    uptime: str
    last_restart_datetime: datetime | None = None
    last_updated_datetime: datetime | None = None
    created_datetime: datetime
    node_ip: str
    cores: int
    memory: str
    deployment_name: str | None = None
    deployment_status: str | None = None
    reason: str | None = None
    concurrency: int


class WorkerPage(Reply):
    workers: list[WorkerInfo]
    total_record: Count


class LogLine(Reply):
    timestamp: datetime | None = None
    message: str | None = None


class _Worker(Reply):
    worker: WorkerInfo


class _Logs(Reply):
    logs: list[LogLine]


class _Metrics(Reply):
    data: Json


async def list_workers(dapr: DaprClient, cluster_id: UUID, namespace: str, query: Json) -> WorkerPage:
    """Return a page of a deployment's workers.

    Args:
        dapr: calls budcluster.
        cluster_id: budcluster's id of the cluster.
        namespace: of the deployment.
        query: the filters and the paging of the contract.

    Raises:
        PeerRefused, PeerFailed: budcluster refused or failed, or its answer makes no sense.
        Unavailable: it can't be reached in time.
    """
    params = {"cluster_id": str(cluster_id), "namespace": namespace, **query}
    return await _get(dapr, "deployment/worker-info", WorkerPage, params)


async def get_worker(dapr: DaprClient, worker_id: UUID, *, reload: bool = False) -> WorkerInfo:
    """Return a worker; raises what `list_workers` does."""
    return (await _get(dapr, f"deployment/worker-info/{worker_id}", _Worker, {"reload": reload})).worker


async def worker_logs(dapr: DaprClient, worker_id: UUID) -> list[LogLine]:
    """Return what a worker has written; raises what `list_workers` does."""
    return (await _get(dapr, f"deployment/worker-info/{worker_id}/logs", _Logs)).logs


async def worker_metrics(dapr: DaprClient, worker_id: UUID) -> Json:
    """Return what a worker uses; raises what `list_workers` does."""
    return (await _get(dapr, f"deployment/worker-info/{worker_id}/metrics", _Metrics)).data


def autoscale(cluster_id: UUID, namespace: str, scaler: Json) -> PeerCall:
    """Return the call that says how a deployment scales from now on."""
    body = {"cluster_id": str(cluster_id), "namespace": namespace, "release_name": _RELEASE, "budaiscaler": scaler}
    return PeerCall(Peer.BUDCLUSTER, "PUT", "deployment/autoscale", body)


async def set_autoscale(dapr: DaprClient, call: PeerCall) -> None:
    """Tell budcluster how a deployment scales from now on, by the call of `autoscale`.

    Raises:
        BadRequest: budcluster refused.
        PeerFailed, Unavailable: it failed, or can't be reached in time.
    """
    try:
        await dapr.invoke(Peer.BUDCLUSTER, call.method, call.path, json=call.json, timeout=_SECONDS)
    except PeerRefused as error:
        raise BadRequest(error.text) from error


def delete_worker(worker_id: str) -> PeerCall:
    """Return the call that deletes a worker; its result names the workers that are left."""
    return PeerCall(Peer.BUDCLUSTER, "DELETE", "deployment/worker-info", {"worker_id": worker_id})


def deploy_adapter(action: str, *, cluster_id: UUID | None, namespace: str, **more: Any) -> PeerCall:
    """Return the call that has a deployment's engine load an adapter (`add`), or drop it (`delete`).

    Args:
        action: `add` or `delete`.
        cluster_id: budcluster's id of the cluster.
        namespace: of the deployment.
        more: `endpoint_name`, `ingress_url`, `adapter_path`, `adapter_name`, the `adapters` that are to be there
            afterwards, and `adapter_id`.
    """
    body: Json = {"action": action, "cluster_id": str(cluster_id), "namespace": namespace, **more}
    return PeerCall(Peer.BUDCLUSTER, "POST", "deployment/deploy-adapter", body)


async def _get(dapr: DaprClient, path: str, schema: type[T], params: Json | None = None) -> T:
    answer: Any = await dapr.invoke(Peer.BUDCLUSTER, "GET", path, params=params, timeout=_SECONDS)
    try:
        return schema.model_validate(answer)
    except ValidationError as error:
        raise PeerFailed from error
