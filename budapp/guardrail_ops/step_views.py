"""What the steps of guardrails look like to browsers."""

from uuid import UUID

from pydantic import Field

from budapp.commons.schemas import Schema
from budapp.deployment_ops.step_views import DeploySteps
from budapp.workflow_ops.step_views import Json, Named, StepList


class ModelStatus(Schema):
    """A model that a selected rule looks at texts with, and how far the tenant has it."""

    model_uri: str
    model_name: str
    model_id: UUID | None = None
    rule_ids: list[UUID] = []
    rule_names: list[str] = []
    status: str
    endpoint_id: UUID | None = None
    endpoint_name: str | None = None
    requires_onboarding: bool = Field(default=False, description="Whether it has to be added first")
    requires_deployment: bool = Field(default=False, description="Whether it has to be deployed first")
    can_reuse: bool = Field(default=False, description="Whether it is deployed already and can be used")
    is_gated: bool = False


class GuardrailSteps(DeploySteps):
    """The steps by which guardrails are deployed."""

    guardrail_profile_id: UUID | None = None
    guardrail_profile: Named | None = None
    endpoint_ids: list[UUID] | None = None
    endpoints: list[Named] | None = None
    deployed_endpoint_ids: list[UUID] | None = None
    deployment: list[Json] | None = None
    is_standalone: bool | None = None
    probe_selections: list[Json] | None = None
    guard_types: list[str] | None = None
    severity_threshold: float | None = None
    model_statuses: list[ModelStatus] | None = None
    models_requiring_onboarding: int | None = Field(default=None, description="How many models have to be added first")
    models_requiring_deployment: int | None = Field(
        default=None, description="How many models have to be deployed first"
    )
    models_reusable: int | None = Field(default=None, description="How many models are deployed already")
    credential_required: bool | None = None
    skip_to_step: int | None = Field(default=None, description="The number of the step that needs to be filled in next")
    models_to_deploy: list[Json] | None = None
    models_to_reuse: list[Json] | None = None
    simulation_step_mapping: Json | None = Field(default=None, description="Step of the simulation → the model's URI")
    simulation_models: list[Json] | None = None
    pending_profile_data: Json | None = None
    per_model_deployment_configs: list[Json] | None = None
    guardrail_onboarding_events: StepList | None = Field(default=None, description="How budpipeline adds models")
    guardrail_simulation_events: StepList | None = Field(
        default=None, description="How budpipeline has clusters looked for"
    )
    guardrail_deployment_events: StepList | None = Field(default=None, description="How budpipeline deploys models")


class CustomProbeSteps(DeploySteps):
    """The steps by which a probe of the tenant's own comes."""

    probe_type_option: str | None = None
    model_uri: str | None = None
    scanner_type: str | None = None
    handler: str | None = None
    model_provider_type: str | None = None
    policy: Json | None = None
    guard_types: list[str] | None = None
    modality_types: list[str] | None = None
    probe_id: UUID | None = None
