import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from budapp.benchmark_ops.models import BenchmarkStatus
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Color, OptionalText, PageAnswer, Schema
from budapp.commons.storable import OutsideText, cleaned
from budapp.integrations.benchmarks import BenchmarkResult, DeviceConfiguration, ModelMemory
from budapp.workflow_ops.schemas import WorkflowPost

MOST_ROWS = 10_000


def _readable(value: str) -> str:
    if cleaned(value)[1] is not None:
        raise ValueError("holds a character that can't be stored")
    return value


def _readable_if_text(value: str | bool | None) -> str | bool | None:
    return _readable(value) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    """Take the texts that the browser's fields hold for numbers, and an empty one for none."""
    return (value.strip() or None) if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_readable)]
Hostname = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,253}$")]
TokenLimit = Annotated[Annotated[int, Field(ge=1, le=10_000_000)] | None, BeforeValidator(_number)]
Parallel = Annotated[int, Field(ge=1, le=10_000)]
HardwareMode = Literal["dedicated", "shared"]


class BenchmarkTag(Schema):
    name: str
    color: Color


class BenchmarkTagPost(BenchmarkTag):
    name: Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class NodeHardware(Schema):
    type: OutsideText = Field(default=None, description="The kind of device, such as `cuda`")
    vendor: OutsideText = None
    raw_name: OutsideText = None
    count: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="How many of these devices the node has"
    )


class Node(Schema):
    """A machine, as `GET /clusters/{id}/node-metrics` shows it."""

    hostname: Hostname
    id: Annotated[Text, StringConstraints(max_length=100)] | None = None
    status: Annotated[
        Annotated[str, StringConstraints(max_length=100)] | bool | None, AfterValidator(_readable_if_text)
    ] = Field(default=None, description="Whether the node is ready, as `GET /clusters/{id}/node-metrics` says")
    hardware_mode: HardwareMode | None = None
    hardware_info: list[NodeHardware] = Field(default=[], max_length=100)


class BenchmarkPost(WorkflowPost):
    """A step of measuring a model; what the first one says is said again by each."""

    model_config = ConfigDict(protected_namespaces=())

    name: Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
    tags: list[BenchmarkTagPost] = Field(max_length=50)
    description: Annotated[Text, StringConstraints(strip_whitespace=True, max_length=1000)]
    concurrent_requests: Annotated[int, Field(ge=1, le=100_000)] = Field(
        description="How many requests are sent at once"
    )
    eval_with: Literal["dataset", "configuration"]
    datasets: list[UUID] | None = Field(
        default=None, min_length=1, max_length=50, description="The datasets, where `eval_with` is `dataset`"
    )
    max_input_tokens: TokenLimit = None
    max_output_tokens: TokenLimit = None
    cluster_id: UUID | None = None
    hardware_mode: HardwareMode | None = None
    nodes: list[Node] | None = Field(default=None, min_length=1, max_length=500)
    model_id: UUID | None = None
    credential_id: UUID | None = None
    selected_device_type: Annotated[Text, StringConstraints(max_length=50)] | None = None
    tp_size: Parallel | None = None
    pp_size: Parallel | None = None
    replicas: Parallel | None = Field(default=None, description="How many replicas of the model are to run")
    num_prompts: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="How many requests are sent in all"
    )
    user_confirmation: bool | None = Field(default=None, description="Handed to budcluster as it is")
    run_as_simulation: bool | None = Field(default=None, description="Handed to budcluster as it is")


class CancelRequest(Schema):
    workflow_id: UUID


class BenchmarkCancelled(Answer):
    object: Literal["benchmark.cancel"] = "benchmark.cancel"
    message: str = "Benchmark cancelled"


class NodeConfigurationRequest(Schema):
    model_config = ConfigDict(protected_namespaces=())

    model_id: UUID
    cluster_id: UUID
    hostnames: list[Hostname] = Field(min_length=1, max_length=500)
    hardware_mode: HardwareMode = "dedicated"
    input_tokens: int = Field(default=1024, ge=1, le=10_000_000, description="Input tokens of a request")
    output_tokens: int = Field(default=512, ge=1, le=10_000_000, description="Output tokens of a request")
    concurrency: int = Field(default=10, ge=1, le=100_000)


class NodeConfigurations(Answer):
    model_config = ConfigDict(protected_namespaces=())

    object: Literal["node_configurations"] = "node_configurations"
    message: str = "Configurations found"
    code: Literal[200] = 200
    cluster_id: UUID
    hardware_mode: str
    selected_nodes: list[str] = Field(description="Host names of the nodes that were looked at")
    model_info: ModelMemory
    device_configurations: list[DeviceConfiguration]


class BenchmarkQuery(Paging):
    """With `search`, the texts are looked for in names; without, they must be equal."""

    model_config = ConfigDict(protected_namespaces=())

    name: OptionalText = None
    status: BenchmarkStatus | None = None
    model_name: OptionalText = None
    cluster_name: OptionalText = None
    min_concurrency: int | None = Field(default=None, ge=0, le=2**31 - 1)
    max_concurrency: int | None = Field(default=None, ge=0, le=2**31 - 1)
    min_tpot: float | None = Field(default=None, allow_inf_nan=False)
    max_tpot: float | None = Field(default=None, allow_inf_nan=False)
    min_ttft: float | None = Field(default=None, allow_inf_nan=False)
    max_ttft: float | None = Field(default=None, allow_inf_nan=False)


class BenchmarkModel(Schema):
    id: UUID
    name: str
    icon: str | None
    description: str | None
    uri: str
    author: str | None
    provider_type: str
    created_at: datetime


class BenchmarkCluster(Schema):
    id: UUID
    name: str
    icon: str | None
    status: str
    total_nodes: int
    available_nodes: int
    created_at: datetime


class BenchmarkListed(Schema):
    model_config = ConfigDict(protected_namespaces=())

    id: UUID
    name: str
    status: BenchmarkStatus
    model: BenchmarkModel | None
    cluster: BenchmarkCluster | None
    node_type: str | None = Field(description="The kind of device that was measured; null where it is not known")
    vendor_type: str | None = Field(description="The maker of the device that was measured; null where it is not known")
    concurrency: int
    tpot: float | None = Field(description="Mean time per output token, in ms; null until it is measured")
    ttft: float | None = Field(description="Mean time to the first token, in ms; null until it is measured")
    eval_with: str
    dataset_ids: list[UUID] | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    created_at: datetime


class BenchmarkList(PageAnswer):
    object: Literal["benchmarks.list"] = "benchmarks.list"
    message: str = "Benchmarks found"
    benchmarks: list[BenchmarkListed]


class FilterQuery(Paging):
    model_config = ConfigDict(protected_namespaces=())

    resource: Literal["model", "cluster"] = "model"
    model_name: OptionalText = None
    cluster_name: OptionalText = None


class FilterList(PageAnswer):
    object: Literal["benchmark.filters"] = "benchmark.filters"
    message: str = "Names found"
    result: list[str] = Field(description="Names of the models or clusters of benchmarks")


class BenchmarkDeployment(Schema):
    """With what the model was run."""

    selected_device_type: str | None = None
    tp_size: int | None = None
    pp_size: int | None = None
    replicas: int | None = None
    num_prompts: int | None = Field(default=None, description="How many requests are sent in all")
    hardware_mode: str | None = None


class BenchmarkDetail(BenchmarkListed):
    description: str
    tags: list[BenchmarkTag]
    reason: str | None
    nodes: list[Node]
    dataset_names: list[str]
    deployment_config: BenchmarkDeployment
    modified_at: datetime


class BenchmarkRetrieved(Answer):
    object: Literal["benchmark.get"] = "benchmark.get"
    message: str = "Benchmark found"
    result: BenchmarkDetail


class ResultParam(Schema):
    result: BenchmarkResult


class ResultAnswer(Answer):
    object: Literal["benchmark.result"] = "benchmark.result"
    message: str = "Result found"
    param: ResultParam


Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Length = Annotated[int, Field(ge=0, le=2**31 - 1)]


class RequestRow(Schema):
    """What one request took; what else is told of it is left out."""

    benchmark_id: UUID
    dataset_id: UUID | None = None
    latency: Seconds | None = Field(default=None, description="How long the whole request took, in seconds")
    success: bool | None = None
    error: OutsideText = Field(default=None, description="What went wrong; null or empty where nothing did")
    prompt_len: Length | None = None
    output_len: Length | None = None
    req_output_throughput: Seconds | None = None
    ttft: Seconds | None = Field(default=None, description="Time to the first token, in seconds")
    tpot: Seconds | None = Field(default=None, description="Time per output token after the first, in seconds")
    itl: list[Seconds] | None = Field(
        default=None, max_length=100_000, description="Times between one output token and the next, in seconds"
    )


_ROWS = TypeAdapter(list[RequestRow])
_AT_ONCE = 500


class _UnreadRows(list[Any]):
    """Rows in the document, and anything at all when they come in: to validate all at once would hold the loop."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.list_schema(min_length=1, max_length=MOST_ROWS)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        rows = handler(_ROWS.core_schema)
        return {**rows, "minItems": 1, "maxItems": MOST_ROWS}


class RequestRows(Schema):
    """What requests took, validated by `rows`."""

    metrics: _UnreadRows

    async def rows(self) -> list[RequestRow]:
        """Return the rows, validated some at a time.

        Raises:
            RequestValidationError: a row that can't be.
        """
        found: list[RequestRow] = []
        for start in range(0, len(self.metrics), _AT_ONCE):
            try:
                found += _ROWS.validate_python(self.metrics[start : start + _AT_ONCE])
            except ValidationError as error:
                raise RequestValidationError([_placed(one, start) for one in error.errors()]) from error
            await asyncio.sleep(0)
        return found


def _placed(error: ErrorDetails, start: int) -> dict[str, Any]:
    number, *within = error["loc"]
    return {**error, "loc": ("body", "metrics", int(number) + start, *within)}


class RowsKept(Answer):
    object: Literal["benchmark.request_metrics.add"] = "benchmark.request_metrics.add"
    message: str = "Kept"
    count: int = Field(description="How many rows were kept")
    status: Literal["success"] = "success"


class RowQuery(Schema):
    benchmark_id: UUID
    page: int = Field(default=1, ge=1, le=1_000_000)
    limit: int = Field(default=10, ge=1, le=10_000)


class RowView(Schema):
    id: UUID
    dataset_id: UUID | None
    latency: float | None = Field(description="How long the whole request took, in seconds")
    success: bool
    error: str | None = Field(description="What went wrong; null or empty where nothing did")
    prompt_len: int | None
    output_len: int | None
    req_output_throughput: float | None
    ttft: float | None = Field(description="Time to the first token, in seconds")
    tpot: float | None = Field(description="Time per output token after the first, in seconds")
    itl: list[float] | None = Field(description="Times between one output token and the next, in seconds")
    itl_sum: float | None = Field(description="Sum of `itl`, in seconds")


class RowList(Answer):
    object: Literal["benchmark.request_metrics"] = "benchmark.request_metrics"
    message: str = "Requests found"
    items: list[RowView]
    total_items: int = Field(description="How many there are on all pages")
    page: int
    limit: int


class MetricField(StrEnum):
    TTFT = "ttft"
    TPOT = "tpot"
    LATENCY = "latency"
    PROMPT_LEN = "prompt_len"
    OUTPUT_LEN = "output_len"
    THROUGHPUT = "req_output_throughput"


class FieldsQuery(Schema):
    field1: MetricField
    field2: MetricField

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.field1 == self.field2:
            raise ValueError("field2 must be another one than field1")
        return self


class FieldPair(Schema):
    """The two fields that were asked for, of one request; in a comparison, the means of one benchmark."""

    benchmark_id: UUID | None = None
    benchmark_name: str | None = None
    ttft: float | None = Field(default=None, description="Time to the first token, in seconds")
    tpot: float | None = Field(default=None, description="Time per output token after the first, in seconds")
    latency: float | None = Field(default=None, description="How long a whole request took, in seconds")
    prompt_len: float | None = None
    output_len: float | None = None
    req_output_throughput: float | None = None


class FieldPairs(Schema):
    result: list[FieldPair]


class AnalysisAnswer(Answer):
    object: Literal["benchmark.analysis"] = "benchmark.analysis"
    message: str = "Analysis made"
    param: FieldPairs


class DistributionQuery(Schema):
    benchmark_id: UUID | None = None
    num_bins: int = Field(default=10, ge=1, le=100)


class Bin(Schema):
    bin_id: int = Field(description="The number of the bin, from 1; bins without requests are left out")
    bin_range: str = Field(description="From how many tokens to how many, such as `0-128`")
    count: int = Field(description="How many requests are in it")
    avg_ttft: float | None = Field(description="Mean time to the first token, in seconds")
    avg_tpot: float | None = Field(description="Mean time per output token after the first, in seconds")
    avg_latency: float | None = Field(description="Mean time of a whole request, in seconds")


class Bins(Schema):
    result: list[Bin]


class FieldDistribution(Answer):
    object: Literal["benchmark.distribution"] = "benchmark.distribution"
    message: str = "Distribution made"
    param: Bins
