"""budcluster: what runs on clusters."""

from urllib.parse import quote

from pydantic import Field

from budapp.integrations.dapr import Peer
from budapp.integrations.peers import Json, PeerCall, Reply


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
