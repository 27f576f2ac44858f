"""All that the steps of any workflow may say, as browsers read it. What a workflow does not say is null."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from budapp.commons.schemas import Schema

Json = dict[str, Any]


class Mark(Schema):
    """A tag or a task."""

    name: str
    color: str


class ProviderBrief(Schema):
    id: UUID
    name: str
    icon: str | None = None
    type: str
    description: str | None = None


class CloudModelBrief(Schema):
    id: UUID
    name: str
    icon: str | None = None
    uri: str
    modality: list[str] | None = None


class ModelBrief(Schema):
    id: UUID
    name: str
    author: str | None = None
    description: str | None = None
    icon: str | None = None
    uri: str
    provider_type: str
    source: str
    model_size: int | None = None
    tags: list[Mark] | None = None
    tasks: list[Mark] | None = None
    is_present_in_model: bool = True
    provider: ProviderBrief | None = None
    created_at: datetime
    modified_at: datetime


class Named(Schema):
    id: UUID
    name: str


class ClusterBrief(Named):
    cluster_id: UUID | None = None
    icon: str | None = None
    cluster_type: str | None = None
    cpu_total_workers: int | None = None
    gpu_total_workers: int | None = None
    hpu_total_workers: int | None = None


class DeployConfig(Schema):
    concurrent_requests: int | None = None
    avg_sequence_length: int | None = None
    avg_context_length: int | None = None
    per_session_tokens_per_sec: list[int] | None = None
    ttft: list[int] | None = None
    e2e_latency: list[int] | None = None


class TemplateBrief(Named):
    avg_sequence_length: int | None = None
    avg_context_length: int | None = None
    per_session_tokens_per_sec: list[int] | None = None
    ttft: list[int] | None = None
    e2e_latency: list[int] | None = None
    icon: str | None = None
    description: str | None = None


class CredentialBrief(Named):
    other_provider_creds: Json | None = None


class EndpointTargets(Schema):
    target_ttft: float | None = None
    target_e2e_latency: float | None = None
    target_throughput_per_user: float | None = None


class EndpointDetails(Schema):
    result: EndpointTargets | None = None


class Issue(Schema):
    title: str | None = None
    source: str | None = None
    severity: str | None = None
    description: str | None = None


class Issues(Schema):
    critical: list[Issue] = []
    high: list[Issue] = []
    medium: list[Issue] = []
    low: list[Issue] = []


class ScanResult(Schema):
    """What a security scan found; `status` is the highest severity, or `safe`."""

    id: UUID
    model_id: UUID
    status: str
    total_issues: int
    total_scanned_files: int
    total_skipped_files: int
    low_severity_count: int
    medium_severity_count: int
    high_severity_count: int
    critical_severity_count: int
    scanned_files: list[str]
    model_issues: Issues
    created_at: datetime
    modified_at: datetime


class EventContent(Schema):
    title: str | None = None
    message: str | None = None
    status: str | None = None
    result: Any = None
    icon: str | None = None
    tag: str | None = None
    primary_action: str | None = None
    secondary_action: str | None = None


class EventPayload(Schema):
    """The last event of a step; empty before the first one."""

    category: str | None = None
    type: str | None = None
    event: str | None = None
    workflow_id: str | None = None
    source: str | None = None
    content: EventContent | None = None


class StepProgress(Schema):
    id: str
    title: str
    description: str
    payload: EventPayload


class ClusterMetadata(Schema):
    tool_calling_parser_type: str | None = None
    reasoning_parser_type: str | None = None
    chat_template: str | None = None
    supports_lora: bool | None = None
    supports_pipeline_parallelism: bool | None = None


class StepList(Schema):
    """The steps that another service works through; `eta` is in minutes."""

    workflow_id: str | None = None
    status: str | None = None
    eta: int | None = None
    steps: list[StepProgress] = []
    recommended_cluster_count: int | None = None
    metadata: ClusterMetadata | None = None


class ExecutionStatus(Schema):
    status: str
    message: str


class Quantizing(Schema):
    bit: int | None = None
    granularity: str | None = None
    symmetric: bool | None = None


class QuantizationConfig(Schema):
    model_id: UUID | None = None
    quantized_model_name: str | None = None
    target_type: str | None = None
    target_device: str | None = None
    method: str | None = None
    weight_config: Quantizing | None = None
    activation_config: Quantizing | None = None
    cluster_id: UUID | None = None
    simulation_id: str | None = None
    quantization_data: Json | None = None
    quantized_model_id: UUID | None = None
    quantized_model: ModelBrief | None = None


class AdapterConfig(Schema):
    endpoint_id: UUID | None = None
    project_id: UUID | None = None
    adapter_name: str | None = None
    adapter_model_id: UUID | None = None
    adapter_id: UUID | None = None


class StageData(Schema):
    trait_ids: list[UUID] | None = None
    selected_model: ModelBrief | None = None
    deployment_specs: Json | None = None


class ClientMetadata(Schema):
    """What a browser keeps of its own, to go on where it left."""

    model_config = ConfigDict(extra="allow")

    sessions: list[Json] | None = None
    activeSessionIds: list[str] | None = None  # noqa: N815 - the browser's name
    selectedSessionId: str | None = None  # noqa: N815


class ModelSource(Schema):
    source: str | None = None


class WorkflowSteps(Schema):
    """Everything that the steps have said so far, with the objects that they name."""

    # models
    provider_type: str | None = None
    provider_id: UUID | None = None
    provider: ProviderBrief | None = None
    cloud_model_id: UUID | None = None
    cloud_model: CloudModelBrief | None = None
    model_id: UUID | None = None
    model: ModelBrief | None = None
    add_model_modality: list[str] | None = None
    modality: list[str] | None = None
    name: str | None = None
    uri: str | None = None
    icon: str | None = None
    author: str | None = None
    tags: list[Mark] | None = None
    description: str | None = None
    source: str | None = None
    model_source: str | None = None
    models: list[ModelSource] | None = None
    proprietary_credential_id: UUID | None = None
    workflow_execution_status: ExecutionStatus | None = None
    leaderboard: list[Json] | None = None
    security_scan_result_id: UUID | None = None
    security_scan_result: ScanResult | None = None
    quantization_config: QuantizationConfig | None = None
    # deployments
    project: Named | None = None
    cluster: ClusterBrief | None = None
    template_id: UUID | None = None
    template: TemplateBrief | None = None
    endpoint: Named | None = None
    endpoint_name: str | None = None
    endpoint_details: EndpointDetails | None = None
    deploy_config: DeployConfig | None = None
    simulator_id: str | None = None
    credential_id: UUID | None = None
    credential: CredentialBrief | None = None
    hardware_mode: str | None = None
    enable_tool_calling: bool | None = None
    enable_reasoning: bool | None = None
    tool_calling_parser_type: str | None = None
    reasoning_parser_type: str | None = None
    chat_template: str | None = None
    supports_lora: bool | None = None
    supports_pipeline_parallelism: bool | None = None
    additional_concurrency: int | None = None
    adapter_config: AdapterConfig | None = None
    ingress_url: str | None = None
    # benchmarks and evaluations
    eval_with: str | None = None
    concurrent_requests: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    datasets: list[Json] | None = None
    nodes: list[Json] | None = None
    user_confirmation: bool | None = None
    run_as_simulation: bool | None = None
    selected_device_type: str | None = None
    tp_size: int | None = None
    pp_size: int | None = None
    replicas: int | None = None
    num_prompts: int | None = None
    benchmark_id: UUID | None = None
    experiment_id: UUID | None = None
    trait_ids: list[UUID] | None = None
    traits_details: list[Json] | None = None
    dataset_ids: list[UUID] | None = None
    stage_data: StageData | None = None
    # prompts and guardrails
    bud_prompt_id: str | None = None
    model_statuses: list[Json] | None = None
    models_requiring_onboarding: int | None = None
    models_requiring_deployment: int | None = None
    models_reusable: int | None = None
    credential_required: bool | None = None
    skip_to_step: int | None = None
    recommended_clusters: list[Json] | None = None
    # what other services work through
    model_extraction_events: StepList | None = None
    model_security_scan_events: StepList | None = None
    bud_simulator_events: StepList | None = None
    budserve_cluster_events: StepList | None = None
    bud_serve_cluster_events: StepList | None = Field(
        default=None, description="The same as `budserve_cluster_events`, under the name that some screens read"
    )
    create_cluster_events: StepList | None = None
    delete_cluster_events: StepList | None = None
    delete_endpoint_events: StepList | None = None
    delete_worker_events: StepList | None = None
    quantization_simulation_events: StepList | None = None
    quantization_deployment_events: StepList | None = None
    adapter_deployment_events: StepList | None = None
    evaluation_events: StepList | None = None
    prompt_schema_events: StepList | None = None
    guardrail_onboarding_events: StepList | None = None
    guardrail_simulation_events: StepList | None = None
    guardrail_deployment_events: StepList | None = None

    @model_validator(mode="after")
    def _under_both_names(self) -> "WorkflowSteps":
        self.bud_serve_cluster_events = self.budserve_cluster_events
        self.quantization_simulation_events = self.bud_simulator_events
        return self
