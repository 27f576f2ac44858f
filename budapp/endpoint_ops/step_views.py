"""What the steps of deployments look like to browsers."""

from uuid import UUID

from pydantic import Field

from budapp.commons.schemas import Schema
from budapp.workflow_ops.step_views import Json, Named, StepList, WorkflowSteps


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
    target_ttft: float | None = Field(default=None, description="Milliseconds to the first token that are aimed at")
    target_e2e_latency: float | None = Field(default=None, description="Seconds of a whole request that are aimed at")
    target_throughput_per_user: float | None = Field(
        default=None, description="Output tokens per second of one request that are aimed at"
    )


class EndpointDetails(Schema):
    result: EndpointTargets | None = None


class AdapterConfig(Schema):
    endpoint_id: UUID | None = None
    project_id: UUID | None = None
    adapter_name: str | None = None
    adapter_model_id: UUID | None = None
    adapter_id: UUID | None = None


class DeploymentSteps(WorkflowSteps):
    """The steps by which models, and adapters of them, are deployed and withdrawn."""

    project: Named | None = None
    template_id: UUID | None = None
    template: TemplateBrief | None = None
    endpoint: Named | None = None
    endpoint_name: str | None = None
    endpoint_details: EndpointDetails | None = None
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
    delete_endpoint_events: StepList | None = Field(default=None, description="How budcluster deletes the deployment")
    delete_worker_events: StepList | None = Field(default=None, description="How budcluster deletes the worker")
    adapter_deployment_events: StepList | None = Field(default=None, description="How budcluster adds the adapter")
