"""budsim: which clusters suit a model, by simulation."""

from decimal import Decimal
from uuid import UUID

from pydantic import Field

from budapp.integrations.dapr import Peer
from budapp.integrations.peers import Json, PeerCall, Reply, StepAnswer

SIMULATION_EVENTS = "get_cluster_recommendations"
SIMULATION_STEPS = (
    StepAnswer(id="validation", title="Identifying compatibles clusters"),
    StepAnswer(id="performance_estimation", title="Generating best configuration for each cluster"),
    StepAnswer(id="ranking", title="Ranking the cluster based on performance"),
)


class Device(Reply):
    device_type: str


class ClusterMetrics(Reply):
    """How a model would do on a cluster; the cost is in the platform's currency."""

    device_types: list[Device]
    cost_per_million_tokens: Decimal = Field(ge=0, lt=10**12)


class ClusterRecommendation(Reply):
    """A cluster, by budcluster's id of it."""

    cluster_id: UUID
    metrics: ClusterMetrics


class SimulationResult(Reply):
    """The result of a simulation, the best cluster first; `workflow_id` is what budcluster is told of it."""

    workflow_id: UUID
    recommendations: list[ClusterRecommendation]


def run_simulation(
    *, model_uri: str | None, proprietary: bool, input_tokens: int, output_tokens: int, concurrency: int, **more: object
) -> PeerCall:
    """Return the call that simulates a load on each cluster.

    Args:
        model_uri: a cloud model's uri, or the path of a local model's files.
        proprietary: whether it is a cloud's model.
        input_tokens: of each request.
        output_tokens: of each request.
        concurrency: requests at once.
        more: `target_ttft` (ms), `target_throughput_per_user` (tokens a second) and `target_e2e_latency` (s), or
            `is_quantization`, `quantization_method` and `quantization_type`.
    """
    body: Json = {
        "pretrained_model_uri": model_uri,
        "is_proprietary_model": proprietary,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "concurrency": concurrency,
        **more,
    }
    return PeerCall(Peer.BUDSIM, "POST", "simulator/run", body)
