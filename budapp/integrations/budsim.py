"""budsim: which clusters suit a model, by simulation."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, ValidationError

from budapp.commons.errors import PeerFailed
from budapp.integrations.dapr import DaprClient, Peer
from budapp.integrations.peers import Json, PeerCall, Reply, StepAnswer

SIMULATION_EVENTS = "get_cluster_recommendations"
SIMULATION_STEPS = (
    StepAnswer(id="validation", title="Identifying compatibles clusters"),
    StepAnswer(id="performance_estimation", title="Generating best configuration for each cluster"),
    StepAnswer(id="ranking", title="Ranking the cluster based on performance"),
)


_RECOMMENDATIONS_SECONDS = 10
_MOST = 20

Cost = Annotated[Decimal, Field(ge=0, lt=10**12)]


class Device(Reply):
    device_type: str
    num_replicas: int = 0
    concurrency: int = 0
    cost_per_million_tokens: Cost = Decimal(0)


class SimulationMetrics(Reply):
    """How a model would do on a cluster; the cost is in the platform's currency."""

    device_types: list[Device]
    cost_per_million_tokens: Cost
    replica: int = 0
    concurrency: int = 0
    ttft: float = 0
    throughput_per_user: float = 0
    e2e_latency: float = 0


class ClusterRecommendation(Reply):
    """A cluster, by budcluster's id of it."""

    cluster_id: UUID
    metrics: SimulationMetrics
    tool_calling_parser_type: str | None = None
    reasoning_parser_type: str | None = None
    chat_template: str | None = None
    supports_lora: bool | None = None
    supports_pipeline_parallelism: bool | None = None


class SimulationResult(Reply):
    """The result of a simulation, the best cluster first; `workflow_id` is its id for budcluster."""

    workflow_id: UUID
    recommendations: list[ClusterRecommendation]


class _Recommendations(Reply):
    items: list[ClusterRecommendation]


async def recommendations(dapr: DaprClient, simulator_id: str) -> list[ClusterRecommendation]:
    """Return what a simulation has found, the best first: 20 clusters at most.

    Raises:
        PeerFailed: budsim refused, failed, or its answer makes no sense.
        Unavailable: it can't be reached within 10 seconds.
    """
    query = {"workflow_id": simulator_id, "limit": _MOST}
    seconds = _RECOMMENDATIONS_SECONDS
    answer: Any = await dapr.invoke(Peer.BUDSIM, "GET", "simulator/recommendations", params=query, timeout=seconds)
    try:
        return _Recommendations.model_validate(answer).items
    except ValidationError as error:
        raise PeerFailed from error


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
