import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from budapp.commons.schemas import Answer, Money, Schema
from budapp.deployment_ops.scaling_schemas import ScalerSpecification
from budapp.workflow_ops.definitions import Rehearsal
from budapp.workflow_ops.schemas import WorkflowPost, WorkflowRetrieved

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def _as_address(name: str) -> str:
    """Return the name as it stands in addresses, or raise `ValueError`."""
    found = re.sub(r"\s", "-", name).lower().strip("-")
    if not _NAME.fullmatch(found):
        raise ValueError("must consist of letters without accents, digits and hyphens")
    return found


EndpointName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_as_address)]
Parser = Annotated[str, StringConstraints(max_length=100)]
ChatTemplate = Annotated[str, StringConstraints(max_length=100_000)]
Milliseconds = Annotated[int, Field(ge=1, le=60_000)]
Rate = Annotated[int, Field(ge=0, le=1000)]
Seconds = Annotated[int, Field(ge=0, le=600)]


class DeployConfigPost(Schema):
    """The load of a deployment, and how well it is to be met: ranges are [least, most]."""

    concurrent_requests: int = Field(ge=1, le=1_000_000)
    avg_sequence_length: int = Field(ge=0, le=10_000_000)
    avg_context_length: int = Field(ge=0, le=200_000)
    ttft: list[Milliseconds] | None = Field(default=None, min_length=2, max_length=2)
    per_session_tokens_per_sec: list[Rate] | None = Field(default=None, min_length=2, max_length=2)
    e2e_latency: list[Seconds] | None = Field(default=None, min_length=2, max_length=2)


class LegacyScaling(Schema):
    """How deployments once scaled: taken from browsers that still send it, and without effect."""

    enabled: bool | None = None
    scalingType: Parser | None = Field(default=None, description="Taken, and without effect")  # noqa: N815 - the browser's names
    scalingMetric: Parser | None = Field(default=None, description="Taken, and without effect")  # noqa: N815
    scalingValue: float | None = Field(default=None, description="Taken, and without effect")  # noqa: N815
    minReplicas: int | None = Field(default=None, description="Taken, and without effect")  # noqa: N815
    maxReplicas: int | None = Field(default=None, description="Taken, and without effect")  # noqa: N815
    scaleUpTolerance: float | None = Field(default=None, description="Taken, and without effect")  # noqa: N815
    scaleDownTolerance: float | None = Field(default=None, description="Taken, and without effect")  # noqa: N815
    window: int | None = Field(default=None, description="Taken, and without effect")


class DeployPost(WorkflowPost):
    """A step of deploying a model; `cluster_id` is the one that budcluster knows."""

    model_id: UUID | None = None
    project_id: UUID | None = None
    cluster_id: UUID | None = Field(default=None, description="budcluster's id of the cluster")
    template_id: UUID | None = None
    credential_id: UUID | None = None
    simulator_id: UUID | None = None
    endpoint_name: EndpointName | None = None
    deploy_config: DeployConfigPost | None = None
    budaiscaler_specification: ScalerSpecification | None = None
    scaling_specification: LegacyScaling | None = Field(default=None, exclude=True)
    hardware_mode: Literal["dedicated", "shared"] | None = None
    enable_tool_calling: bool | None = None
    enable_reasoning: bool | None = None
    tool_calling_parser_type: Parser | None = None
    reasoning_parser_type: Parser | None = None
    chat_template: ChatTemplate | None = None
    supports_lora: bool | None = None
    supports_pipeline_parallelism: bool | None = None


class DeploymentMade(Schema):
    endpoint_id: UUID
    url: str | None


class DeploymentWorkflow(WorkflowRetrieved):
    """The workflow; `progress` is there once the deployment is, which pipelines wait for."""

    progress: DeploymentMade | None = None

    @staticmethod
    def with_progress(found: WorkflowRetrieved) -> "DeploymentWorkflow":
        """Return the workflow with what it has made so far."""
        events = getattr(found.workflow_steps, "budserve_cluster_events", None)
        made = None
        if events is not None and events.endpoint_id is not None:
            made = DeploymentMade(endpoint_id=events.endpoint_id, url=events.endpoint_url)
        return DeploymentWorkflow.model_construct(**dict(found), progress=made)


class RehearsedCall(Schema):
    """A call of another service that would have been made."""

    service: str
    method: str
    path: str
    body: dict[str, Any] | None


class DryRun(Answer):
    """What a step would come to: `task` is None where it only stores what it says."""

    object: Literal["deployment.dry_run"] = "deployment.dry_run"
    message: str = "Nothing was changed"
    task: str | None = Field(description="What would be begun; null where the step is only stored")
    missing: list[str] = Field(description="What the workflow still needs, by the names of fields")
    calls: list[RehearsedCall]

    @classmethod
    def of(cls, found: Rehearsal) -> Self:
        """Return it of what the engine has found."""
        call = found.call
        calls = (
            [{"service": call.app_id, "method": call.method, "path": f"/{call.path}", "body": call.json}]
            if call
            else []
        )
        return cls.model_validate({"task": found.task, "missing": found.missing, "calls": calls})


class DeploymentCancel(Schema):
    workflow_id: UUID


class DeploymentCancelled(Answer):
    object: Literal["deployment.cancel"] = "deployment.cancel"
    message: str = "Deployment cancelled"


Label = Literal["Better", "Worse", "Expected"]


class Rated(Schema):
    """A value that a cluster reaches, and how it compares with what was asked for; None where nothing was."""

    label: Label | None = Field(description="How it compares with what was asked for; null where nothing was")
    value: float = Field(description="What the cluster reaches, in the unit of what was asked for")


class Benchmarks(Schema):
    replicas: int
    concurrency: Rated = Field(description="How many requests at once")
    ttft: Rated | None = None
    e2e_latency: Rated | None = None
    per_session_tokens_per_sec: Rated | None = None
    over_all_throughput: Rated | None = Field(
        default=None, description="Output tokens per second of all requests together"
    )


class ClusterResource(Schema):
    """The workers of one kind that a cluster has."""

    type: Literal["CPU", "GPU", "HPU"]
    available: int = Field(description="How many of these workers are free")
    total: int = Field(description="How many of these workers there are")


class RequiredDevice(Schema):
    device_type: str = Field(description="The kind of device, as budsim names it")
    num_replicas: int
    concurrency: int
    cost_per_million_tokens: Money


class ClusterOffer(Schema):
    """A cluster on which the model would run as described; `cost_per_token` is for a million of them, as ever."""

    id: UUID
    cluster_id: UUID = Field(description="budcluster's id of the cluster")
    name: str
    cost_per_token: Money = Field(
        description="What a million tokens cost, in the platform's currency; the name is an old mistake"
    )
    total_resources: int = Field(description="How many workers of all kinds the cluster has")
    resources_used: int = Field(description="How many workers of all kinds are in use")
    resource_details: list[ClusterResource]
    required_devices: list[RequiredDevice]
    benchmarks: Benchmarks
    tool_calling_parser_type: str | None = None
    reasoning_parser_type: str | None = None
    chat_template: str | None = None
    supports_lora: bool | None = None
    supports_pipeline_parallelism: bool | None = None


class RecommendedClusters(Answer):
    object: Literal["cluster.recommended"] = "cluster.recommended"
    message: str = "Recommended clusters found"
    workflow_id: UUID
    status: Literal["success", "processing"]
    clusters: list[ClusterOffer]


class SchedulerStarted(Answer):
    object: Literal["recommended_scheduler"] = "recommended_scheduler"
    message: str = "Looking for clusters"


class InferenceCost(Schema):
    """What a token costs, exactly."""

    input_cost_per_token: Decimal
    output_cost_per_token: Decimal
    currency: str = "USD"


class EndpointDeletionPost(WorkflowPost):
    endpoint_id: UUID


class EndpointDeletionRequest(Schema):
    callback_topic: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    force: bool = Field(default=False, description="Taken, and without effect")


class EndpointDeletionStarted(Answer):
    object: Literal["endpoint.delete"] = "endpoint.delete"
    message: str = "The deployment is being deleted"
    workflow_id: UUID
