from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, computed_field

from budapp.cluster_ops.models import ClusterStatus, ClusterType
from budapp.commons.crud import Page
from budapp.commons.paging import MAX_LIMIT, Paging
from budapp.commons.schemas import Answer, Money, OptionalText, PageAnswer, Schema
from budapp.endpoint_ops.columns import shown
from budapp.endpoint_ops.models import EndpointStatus
from budapp.integrations.budmodel import AudioConfig, TextConfig, VisionConfig
from budapp.model_ops.schemas import Example, LicenseView, ModelView, PaperView, Requirements, Source
from budapp.model_ops.step_views import Mark
from budapp.provider_ops.modalities import Endpoints, Modalities
from budapp.provider_ops.schemas import ProviderView

HardwareType = Literal["CPU", "GPU", "HPU"]


class ProjectClusterQuery(Paging):
    name: OptionalText = None
    status: ClusterStatus | None = None


class ProjectCluster(Schema):
    """A cluster, and how much of it the project's deployments use."""

    id: UUID
    name: str
    endpoint_count: int
    hardware_type: list[HardwareType]
    node_count: int
    worker_count: int
    status: ClusterStatus
    created_at: datetime
    modified_at: datetime


class ProjectClusterList(PageAnswer):
    object: Literal["project.clusters.list"] = "project.clusters.list"
    message: str = "Clusters found"
    clusters: list[ProjectCluster]


class EndpointQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the endpoint's name. All filters must fit."""

    project_id: UUID | None = None
    name: OptionalText = None
    status: EndpointStatus | None = None
    is_published: bool | None = None


class EndpointCluster(Schema):
    """The cluster that an endpoint runs on; budcluster knows it by `cluster_id`."""

    id: UUID
    cluster_id: UUID | None = Field(description="budcluster's id of the cluster; null until it has one")
    name: str
    icon: str
    ingress_url: str | None
    cluster_type: ClusterType
    status: ClusterStatus
    created_at: datetime
    modified_at: datetime
    cpu_count: int = Field(description="How many CPU devices there are")
    gpu_count: int = Field(description="How many GPU devices there are")
    hpu_count: int = Field(description="How many HPU devices there are")
    cpu_total_workers: int
    cpu_available_workers: int
    gpu_total_workers: int
    gpu_available_workers: int
    hpu_total_workers: int
    hpu_available_workers: int
    total_nodes: int
    available_nodes: int


class EndpointView(Schema):
    """A deployment as lists show it, with its model, and the cluster where it has one.

    `endpoint_id`, `endpoint_name` and `endpoint_url` are id, name and address once more, as some pages read them.
    """

    id: UUID
    name: str
    status: EndpointStatus
    reason: str | None
    url: str
    project_id: UUID
    project_name: str
    model_name: str | None
    total_workers: int = Field(description="How many workers the deployment has")
    active_workers: int
    is_deprecated: bool
    supported_endpoints: list[str]
    is_published: bool
    published_date: datetime | None
    published_by: UUID | None
    created_at: datetime
    modified_at: datetime
    model: ModelView | None
    cluster: EndpointCluster | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def endpoint_id(self) -> UUID:
        """The id."""
        return self.id

    @computed_field  # type: ignore[prop-decorator]
    @property
    def endpoint_name(self) -> str:
        """The name."""
        return self.name

    @computed_field  # type: ignore[prop-decorator]
    @property
    def endpoint_url(self) -> str:
        """The address."""
        return self.url

    @computed_field  # type: ignore[prop-decorator]
    @property
    def description(self) -> str | None:
        """What the model is for."""
        return self.model.description if self.model else None


class EndpointList(PageAnswer):
    object: Literal["endpoint.list"] = "endpoint.list"
    message: str = "Endpoints found"
    endpoints: list[EndpointView]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return the answer with the page's rows, each with what stands beside it."""
        endpoints = [EndpointView.model_validate(shown(dict(row._mapping))) for row in page.rows]
        return cls(endpoints=endpoints, **page.envelope())


class EndpointPrice(Schema):
    """What `per_tokens` tokens cost, going in and coming out."""

    input_cost: Money
    output_cost: Money
    currency: str
    per_tokens: int


class DeployedModel(Schema):
    """What a deployment's model is and can do, and what its tokens cost there; not where it lies, or who added it."""

    id: UUID
    name: str
    description: str | None
    author: str | None
    icon: str | None
    uri: str
    source: str
    provider_type: Source
    provider: ProviderView | None
    model_size: int | None
    model_weights_size: int | None
    kv_cache_size: int | None
    model_type: str | None
    family: str | None
    tags: list[Mark] | None
    tasks: list[Mark] | None
    modality: Modalities
    supported_endpoints: Endpoints
    bud_verified: bool
    scan_verified: bool | None
    eval_verified: bool
    languages: list[str] | None
    use_cases: list[str] | None
    strengths: list[str] | None
    limitations: list[str] | None
    examples: list[Example] | None
    base_model: list[str] | None
    minimum_requirements: Requirements | None
    model_licenses: LicenseView | None
    paper_published: list[PaperView]
    github_url: str | None
    huggingface_url: str | None
    website_url: str | None
    architecture_text_config: TextConfig | None
    architecture_vision_config: VisionConfig | None
    architecture_audio_config: AudioConfig | None
    created_at: datetime
    pricing: EndpointPrice | None


class EngineConfigs(Schema):
    """How the engine serves the model."""

    enable_tool_calling: bool | None = None
    enable_reasoning: bool | None = None
    tool_calling_parser_type: str | None = None
    reasoning_parser_type: str | None = None
    chat_template: str | None = None
    supports_lora: bool | None = None
    supports_pipeline_parallelism: bool | None = None


class DeploymentConfig(Schema):
    """How a model was deployed: the load that it was deployed for, and what else budcluster was given."""

    model_config = ConfigDict(extra="allow", from_attributes=True)

    concurrent_requests: int | None = None
    avg_context_length: int | None = None
    avg_sequence_length: int | None = None
    engine_configs: Annotated[EngineConfigs, BeforeValidator(lambda value: value or {})] = EngineConfigs()


class EndpointDetail(Schema):
    """A deployment with all that is known of its model; `nodes` are the machines that it runs on."""

    id: UUID
    name: str
    status: EndpointStatus
    reason: str | None
    url: str
    project_id: UUID
    project_name: str
    total_workers: int = Field(description="How many workers the deployment has")
    active_workers: int
    is_deprecated: bool
    supported_endpoints: list[str]
    is_published: bool
    published_date: datetime | None
    published_by: UUID | None
    created_at: datetime
    modified_at: datetime
    model: DeployedModel | None
    cluster: EndpointCluster | None
    deployment_config: DeploymentConfig | None = Field(
        description="The load that it was deployed for, and its engine; null where it has none of its own"
    )
    nodes: list[Any] | None = Field(description="The machines that it runs on, as budcluster tells them")


class EndpointRetrieved(Answer):
    object: Literal["endpoint.get"] = "endpoint.get"
    message: str = "Endpoint found"
    result: EndpointDetail


class HistoryQuery(Paging):
    """Which entries of a history are wanted."""

    limit: int = Field(default=20, ge=0, le=MAX_LIMIT)


class HealthEntry(Schema):
    """What an endpoint was from a moment on, and why."""

    id: UUID
    state: EndpointStatus
    since: datetime = Field(description="From when on it was in this state")
    reason: str | None


class HealthHistory(PageAnswer):
    object: Literal["endpoint.history"] = "endpoint.history"
    message: str = "History found"
    history: list[HealthEntry]
