"""Fields of workflows that clients know already and whose domains are still to come: they are null.

A domain that comes takes its class along.
"""

from budapp.workflow_ops.step_views import StepList, WorkflowSteps


class PromptSteps(WorkflowSteps):
    """The steps by which a prompt comes."""

    bud_prompt_id: str | None = None
    prompt_schema_events: StepList | None = None
