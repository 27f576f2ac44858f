from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from budapp.deployment_ops.scaling_schemas import ScalerSpecification
from budapp.deployment_ops.schemas import DeployConfigPost
from budapp.guardrail_ops.policies import GuardrailPolicy, Long, Short
from budapp.guardrail_ops.schemas import GuardTypes, Modalities, ProviderKind, Selections, Tags, Threshold
from budapp.workflow_ops.schemas import WorkflowPost


class GuardrailPost(WorkflowPost):
    """A step of deploying guardrails; `cluster_id` is the one that budcluster knows."""

    provider_type: ProviderKind | None = None
    provider_id: UUID | None = None
    guardrail_profile_id: UUID | None = None
    name: Short | None = None
    description: Long | None = None
    tags: Tags | None = None
    project_id: UUID | None = None
    endpoint_ids: list[UUID] | None = Field(default=None, max_length=100)
    credential_id: UUID | None = None
    is_standalone: bool | None = None
    probe_selections: Selections | None = None
    guard_types: GuardTypes | None = None
    severity_threshold: Threshold | None = None
    cluster_id: UUID | None = None
    hardware_mode: Literal["dedicated", "shared"] | None = None
    deploy_config: DeployConfigPost | None = None
    budaiscaler_specification: ScalerSpecification | None = None
    deployment_type: Literal["endpoint_mapped", "existing_deployment", "standalone"] | None = None

    @model_validator(mode="after")
    def _before_something_or_by_itself(self) -> Self:
        if self.is_standalone and self.endpoint_ids:
            raise ValueError("a guardrail is before endpoints or by itself: send is_standalone or endpoint_ids")
        return self


class CustomProbePost(WorkflowPost):
    """A step of making a probe of one's own: its kind, its policy, its name."""

    probe_type_option: Literal["llm_policy"] | None = None
    policy: GuardrailPolicy | None = None
    name: Short | None = None
    description: Long | None = None
    guard_types: GuardTypes | None = None
    modality_types: Modalities | None = None

    @model_validator(mode="after")
    def _only_the_last_triggers(self) -> Self:
        if self.trigger_workflow and self.step_number != LAST_STEP:
            raise ValueError(f"only step {LAST_STEP} can trigger")
        return self


LAST_STEP = 3
