"""What budcluster measures of models, and budsim finds of the machines for that."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, ValidationError

from budapp.commons.errors import BadRequest, NotFound, PeerFailed
from budapp.commons.logging import get_logger
from budapp.commons.storable import OutsideText
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from budapp.integrations.peers import Json, PeerCall, Reply

logger = get_logger(__name__)

_SECONDS = 10
Number = Annotated[float, Field(allow_inf_nan=False)]


class BenchmarkResult(Reply):
    """What came of a measurement: times in ms, throughputs by the second."""

    duration: Number | None = Field(default=None, description="How long the measurement took, in seconds")
    successful_requests: int | None = Field(default=None, description="How many requests went well")
    total_input_tokens: int | None = None
    total_output_tokens: int | None = None
    request_throughput: Number | None = Field(default=None, description="Requests per second")
    input_throughput: Number | None = Field(default=None, description="Input tokens per second")
    output_throughput: Number | None = Field(default=None, description="Output tokens per second")
    mean_output_throughput_per_user: Number | None = Field(
        default=None, description="Output tokens per second of one request: mean"
    )
    min_output_throughput_per_user: Number | None = Field(
        default=None, description="Output tokens per second of one request: the lowest"
    )
    max_output_throughput_per_user: Number | None = Field(
        default=None, description="Output tokens per second of one request: the highest"
    )
    p25_output_throughput_per_user: Number | None = Field(
        default=None, description="Output tokens per second of one request: 25th percentile"
    )
    p75_output_throughput_per_user: Number | None = Field(
        default=None, description="Output tokens per second of one request: 75th percentile"
    )
    p95_output_throughput_per_user: Number | None = Field(
        default=None, description="Output tokens per second of one request: 95th percentile"
    )
    p99_output_throughput_per_user: Number | None = Field(
        default=None, description="Output tokens per second of one request: 99th percentile"
    )
    mean_ttft_ms: Number | None = None
    median_ttft_ms: Number | None = None
    min_ttft_ms: Number | None = None
    max_ttft_ms: Number | None = None
    p25_ttft_ms: Number | None = None
    p75_ttft_ms: Number | None = None
    p95_ttft_ms: Number | None = None
    p99_ttft_ms: Number | None = None
    mean_tpot_ms: Number | None = None
    median_tpot_ms: Number | None = None
    min_tpot_ms: Number | None = None
    max_tpot_ms: Number | None = None
    p25_tpot_ms: Number | None = None
    p75_tpot_ms: Number | None = None
    p95_tpot_ms: Number | None = None
    p99_tpot_ms: Number | None = None
    mean_itl_ms: Number | None = None
    median_itl_ms: Number | None = None
    min_itl_ms: Number | None = None
    max_itl_ms: Number | None = None
    p25_itl_ms: Number | None = None
    p75_itl_ms: Number | None = None
    p95_itl_ms: Number | None = None
    p99_itl_ms: Number | None = None
    mean_e2el_ms: Number | None = None
    median_e2el_ms: Number | None = None
    min_e2el_ms: Number | None = None
    max_e2el_ms: Number | None = None
    p25_e2el_ms: Number | None = None
    p75_e2el_ms: Number | None = None
    p95_e2el_ms: Number | None = None
    p99_e2el_ms: Number | None = None


class _ResultParam(Reply):
    result: BenchmarkResult


class _ResultAnswer(Reply):
    param: _ResultParam


class Measured(Reply):
    """The result of a run: what was measured, or why nothing was."""

    benchmark_status: bool
    bud_cluster_benchmark_id: UUID | None = None
    result: Any = None


class ModelMemory(Reply):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model_id: UUID
    model_name: OutsideText = None
    model_uri: OutsideText = None
    estimated_weight_memory_gb: Number = Field(description="Memory that the weights take, estimated, in GB")
    min_tp_for_model: int = Field(description="Over how many devices the model must be split at least")


class ParallelOption(Reply):
    tp_size: int
    pp_size: int
    max_replicas: int = Field(description="How many replicas fit on the devices")
    total_devices_needed: int = Field(description="How many devices one replica takes")
    description: str = ""


class DeviceConfiguration(Reply):
    device_type: str = Field(description="The kind of device, such as `cuda`")
    device_name: OutsideText = None
    device_model: OutsideText = None
    total_devices: int
    nodes_count: int
    max_devices_per_node: int = Field(description="How many devices a node has at most")
    memory_per_device_gb: Number
    tp_pp_options: list[ParallelOption]
    min_tp_required: int = Field(description="Over how many devices the model must be split at least")
    supports_pipeline_parallelism: bool


class Configurations(Reply):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model_info: ModelMemory
    device_configurations: list[DeviceConfiguration]
    selected_nodes: list[str]
    hardware_mode: str


def run_benchmark(body: Json) -> PeerCall:
    """Return the call that measures a model."""
    return PeerCall(Peer.BUDCLUSTER, "POST", "benchmark/run", body)


async def result_of(dapr: DaprClient, bud_cluster_benchmark_id: UUID) -> BenchmarkResult:
    """Return what budcluster has measured.

    Raises:
        NotFound: it does not know the measurement any more.
        PeerFailed: it refused, failed, or its answer makes no sense.
        Unavailable: it can't be reached within 10 seconds.
    """
    query = {"benchmark_id": str(bud_cluster_benchmark_id)}
    try:
        answer = await dapr.invoke(Peer.BUDCLUSTER, "GET", "benchmark/result", params=query, timeout=_SECONDS)
        return _ResultAnswer.model_validate(answer).param.result
    except PeerRefused as error:
        if error.peer_status == 404:
            raise NotFound("budcluster knows this measurement no more") from error
        raise
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDCLUSTER, path="benchmark/result", answer="malformed")
        raise PeerFailed from error


async def configurations(dapr: DaprClient, body: Json) -> Configurations:
    """Return how a model can be spread over the devices of machines.

    Raises:
        BadRequest: budsim says why it can't.
        PeerFailed: it failed, or its answer makes no sense.
        Unavailable: it can't be reached within 10 seconds.
    """
    path = "simulator/node-configurations"
    try:
        answer = await dapr.invoke(Peer.BUDSIM, "POST", path, json=body, timeout=_SECONDS, idempotent=True)
        return Configurations.model_validate(answer)
    except PeerRefused as error:
        raise BadRequest(error.text) from error
    except ValidationError as error:
        logger.warning("peer_failed", peer=Peer.BUDSIM, path=path, answer="malformed")
        raise PeerFailed from error
