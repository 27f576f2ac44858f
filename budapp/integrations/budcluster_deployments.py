"""budcluster, as far as it runs models: deployments, their workers and adapters, and how they scale."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from budapp.integrations.dapr import Peer
from budapp.integrations.peers import Json, PeerCall, Reply, StepAnswer

DEPLOYMENT_STEPS = (
    StepAnswer(id="verify_cluster_connection", title="Verifying cluster connection"),
    StepAnswer(id="transfer_model_to_cluster", title="Transferring model to cluster"),
    StepAnswer(id="deploy_to_engine", title="Deploying model to engine"),
    StepAnswer(id="verify_deployment_status", title="Verifying deployment status"),
    StepAnswer(id="run_performance_benchmark", title="Running performance benchmark"),
)
DELETION_STEPS = (StepAnswer(id="delete_namespace", title="Deleting model deployment"),)

Count = Annotated[int, Field(ge=0, le=1_000_000)]


def _names_that_hold(value: Any) -> Any:
    """Take both forms that budcluster uses: a list of paths, or whether each path is served."""
    return [name for name, holds in value.items() if holds] if isinstance(value, Mapping) else value


Paths = Annotated[list[str], BeforeValidator(_names_that_hold), Field(max_length=100)]


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


class Benchmark(Reply):
    """What the benchmark at the end of a deployment says."""

    deployment_url: str = Field(min_length=1, max_length=1000)
    concurrency: Count | None = None


class DeploymentResult(Reply):
    """The result of a deployment, or of more workers for one."""

    namespace: str = Field(min_length=1, max_length=300)
    cluster_id: UUID
    credential_id: UUID | None = None
    number_of_nodes: Count = 0
    deployment_status: DeploymentStatus = DeploymentStatus()
    deploy_config: list[Json] = Field(default=[], max_length=1000)
    supported_endpoints: Paths = []
    result: Benchmark

    @property
    def running_on(self) -> list[str]:
        """The nodes that a worker runs on."""
        workers = self.deployment_status.worker_data_list
        return list(dict.fromkeys(worker.node_name for worker in workers if worker.status == "Running"))

    @property
    def active(self) -> int:
        """How many workers run."""
        return sum(worker.status == "Running" for worker in self.deployment_status.worker_data_list)


def deploy(*, cluster_id: str, endpoint_name: str, model: str | None, concurrency: int, **more: Any) -> PeerCall:
    """Return the call that deploys a model on a cluster, or adds workers to a deployment; result: `DeploymentResult`.

    Args:
        cluster_id: budcluster's id of the cluster.
        endpoint_name: of the deployment.
        model: where the model's files are.
        concurrency: requests at once.
        more: the optional fields of the contract; those that are None are left out.
    """
    said = {name: value for name, value in more.items() if value is not None}
    body: Json = {"cluster_id": cluster_id, "endpoint_name": endpoint_name, "model": model, "concurrency": concurrency}
    return PeerCall(Peer.BUDCLUSTER, "POST", "deployment", {**body, **said})


def delete_deployment(cluster_id: UUID | str, namespace: str) -> PeerCall:
    """Return the call that takes a deployment off its cluster; one that is gone already is no error."""
    body: Json = {"cluster_id": str(cluster_id), "namespace": namespace}
    return PeerCall(Peer.BUDCLUSTER, "POST", "deployment/delete", body)
