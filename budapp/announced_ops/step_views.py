"""Fields of workflows that clients know already and whose domains are still to come: they are null.

A domain that comes takes its class along.
"""

from uuid import UUID

from budapp.commons.schemas import Schema
from budapp.model_ops.step_views import ModelBrief
from budapp.workflow_ops.step_views import Json, StepList, WorkflowSteps


class StageData(Schema):
    trait_ids: list[UUID] | None = None
    selected_model: ModelBrief | None = None
    deployment_specs: Json | None = None


class EvaluationSteps(WorkflowSteps):
    """The steps of an evaluation of a model by traits."""

    experiment_id: UUID | None = None
    trait_ids: list[UUID] | None = None
    traits_details: list[Json] | None = None
    dataset_ids: list[UUID] | None = None
    stage_data: StageData | None = None
    evaluation_events: StepList | None = None


class PromptSteps(WorkflowSteps):
    """The steps by which a prompt comes."""

    bud_prompt_id: str | None = None
    prompt_schema_events: StepList | None = None


class GuardrailSteps(WorkflowSteps):
    """The steps by which guardrails are deployed."""

    model_statuses: list[Json] | None = None
    models_requiring_onboarding: int | None = None
    models_requiring_deployment: int | None = None
    models_reusable: int | None = None
    credential_required: bool | None = None
    skip_to_step: int | None = None
    guardrail_onboarding_events: StepList | None = None
    guardrail_simulation_events: StepList | None = None
    guardrail_deployment_events: StepList | None = None
