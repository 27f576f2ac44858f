"""What the steps of prompts look like to browsers."""

from uuid import UUID

from budapp.deployment_ops.step_views import DeploySteps
from budapp.workflow_ops.step_views import Json, StepList


class PromptSteps(DeploySteps):
    """The steps by which a prompt comes, and by which its schemas are taken over."""

    prompt_type: str | None = None
    prompt_schema: Json | None = None
    auto_scale: bool | None = None
    caching: bool | None = None
    concurrency: list[int] | None = None
    rate_limit: bool | None = None
    rate_limit_value: int | None = None
    bud_prompt_id: str | None = None
    bud_prompt_version: int | None = None
    discarded_prompt_ids: list[Json] | None = None
    prompt_id: UUID | str | None = None
    version_id: UUID | None = None
    prompt_schema_events: StepList | None = None
