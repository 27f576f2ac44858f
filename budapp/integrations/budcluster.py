"""budcluster: what runs on clusters."""

from urllib.parse import quote
from uuid import UUID

from pydantic import Field

from budapp.integrations.dapr import DaprClient, Peer
from budapp.integrations.peers import Json, PeerCall, Reply, StepAnswer

_EDIT_SECONDS = 10

REGISTRATION_EVENTS = "register_cluster"
_VERIFY = StepAnswer(id="verify_cluster_connection", title="Verifying cluster connection")
_CONFIGURE = StepAnswer(id="configure_cluster", title="Configuring cluster")
_FETCH = StepAnswer(id="fetch_cluster_info", title="Fetching cluster info")
ON_PREMISES_STEPS = (
    StepAnswer(id="determine_cluster_platform", title="Determining cluster platform"),
    StepAnswer(id="check_duplicate_config", title="Checking for duplicate cluster"),
    _VERIFY,
    _CONFIGURE,
    _FETCH,
)
CLOUD_STEPS = (
    StepAnswer(id="create_cloud_provider_cluster", title="Creating Bud Inference Cluster"),
    _VERIFY,
    _CONFIGURE,
    _FETCH,
)
DELETION_EVENTS = "delete_cluster"
DELETION_STEPS = (StepAnswer(id="delete_namespace", title="Deleting Cluster"),)
STATUS_EVENTS = "cluster-status-update"


class ClusterDevice(Reply):
    """A kind of device in a node, and how many workers can still use it."""

    type: str
    available_count: int = Field(default=0, ge=0, le=1_000_000)


class ClusterNode(Reply):
    """A machine of a cluster; `status` is whether it is up."""

    devices: list[ClusterDevice] = []
    status: bool = True


class RegisteredCluster(Reply):
    """The result of a registration: budcluster's id of the cluster, and its machines."""

    id: UUID
    nodes: list[ClusterNode] = Field(max_length=20_000)


class NodeInfo(Reply):
    """The machines of a cluster, where budcluster could look."""

    nodes: list[ClusterNode] = Field(default=[], max_length=20_000)


class ClusterReport(Reply):
    """What a status event tells of a cluster."""

    cluster_id: UUID
    status: str
    reason: str | None = None
    node_info: NodeInfo | None = None


class QuantizationResult(Reply):
    """The result of a quantization: where the files are, and what was measured."""

    model_path: str = Field(min_length=1)
    quantization_data: Json | None = None


def deploy_quantization(
    *,
    cluster_id: str,
    simulator_id: str,
    model_path: str | None,
    model_size: int,
    device_type: str,
    name: str,
    weight: Json,
    activation: Json | None,
) -> PeerCall:
    """Return the call that quantizes a model on a cluster.

    Args:
        cluster_id: budcluster's id of the cluster.
        simulator_id: the simulation that found it.
        model_path: where the model's files are.
        model_size: its parameters; 0 where they are not known.
        device_type: `CPU` or `CUDA`.
        name: of the new model.
        weight: the precision of weights.
        activation: the precision of activations.
    """
    body: Json = {
        "cluster_id": cluster_id,
        "simulator_id": simulator_id,
        "model": model_path,
        "model_size": model_size,
        "device_type": device_type,
        "quantization_name": name,
        "quantization_config": {"weight": weight, "activation": activation},
    }
    return PeerCall(Peer.BUDCLUSTER, "POST", "deployment/deploy-quantization", body)


def cancel_deployment(workflow_id: str) -> PeerCall:
    """Return the call that ends the work that budcluster calls by the id."""
    return PeerCall(Peer.BUDCLUSTER, "POST", f"deployment/cancel/{quote(workflow_id, safe='')}")


def register_cluster(*, name: str, ingress_url: str, kubeconfig: str) -> PeerCall:
    """Return the call that registers a cluster which the kubeconfig reaches."""
    body = {"name": name, "enable_master_node": True, "ingress_url": ingress_url, "cluster_type": "ON_PREM"}
    return _registration(body, kubeconfig)


def register_cloud_cluster(*, name: str, region: str, cloud: Json, credentials: str) -> PeerCall:
    """Return the call that has a provider's cloud make a cluster, and registers it.

    Args:
        name: of the cluster.
        region: of the provider.
        cloud: `credential_id`, `provider_id` and `cloud_provider_unique_id`.
        credentials: the values of the credential, as JSON.
    """
    body = {"name": name, "enable_master_node": True, "cluster_type": "CLOUD", "region": region, **cloud}
    return _registration({**body, "credentials": credentials}, "name: dummy-cluster\n")


def _registration(body: Json, configuration: str) -> PeerCall:
    files = {"configuration": ("configuration.yaml", configuration.encode(), "application/yaml")}
    return PeerCall(Peer.BUDCLUSTER, "POST", "cluster", body, part="cluster_create_request", files=files)


def cancel_registration(workflow_id: str) -> PeerCall:
    """Return the call that ends a registration that budcluster calls by the id."""
    return PeerCall(Peer.BUDCLUSTER, "POST", f"cluster/cancel/{quote(workflow_id, safe='')}")


def delete_cluster(bud_cluster_id: UUID | str, cluster_type: str, cloud_payload: str | None = None) -> PeerCall:
    """Return the call that deletes a cluster; a cloud's needs the provider's words for it, as JSON."""
    body: Json = {"cluster_id": str(bud_cluster_id), "cluster_type": cluster_type, "cloud_payload": cloud_payload}
    return PeerCall(Peer.BUDCLUSTER, "POST", "cluster/delete", body)


def update_node_status(bud_cluster_id: UUID) -> PeerCall:
    """Return the call that has budcluster look at a cluster's nodes now, and tell their status."""
    return PeerCall(Peer.BUDCLUSTER, "POST", "cluster/update-node-status", {"cluster_id": str(bud_cluster_id)})


async def change_ingress(dapr: DaprClient, bud_cluster_id: UUID, ingress_url: str) -> None:
    """Tell budcluster under which address a cluster's deployments are reached.

    Raises:
        PeerRefused, PeerFailed: budcluster refused, or failed.
        Unavailable: it cannot be reached in time.
    """
    path, body = f"cluster/{bud_cluster_id}", {"ingress_url": ingress_url}
    await dapr.invoke(Peer.BUDCLUSTER, "PATCH", path, json=body, timeout=_EDIT_SECONDS, idempotent=True)
