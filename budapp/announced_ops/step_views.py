"""Fields of workflows that clients know already and whose domains are still to come: they are null.

A domain that comes takes its class along.
"""

from budapp.workflow_ops.step_views import Json, StepList, WorkflowSteps


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
