from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, SerializeAsAny, StringConstraints, model_validator

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, OptionalText, PageAnswer, Schema
from budapp.workflow_ops.step_views import ClientMetadata, StepList, WorkflowSteps

Status = Literal["in_progress", "completed", "failed", "cancelled"]

_ENVELOPE = {"workflow_id", "workflow_total_steps", "step_number", "trigger_workflow", "callback_topic"}


class WorkflowPost(Schema):
    """One step of a workflow: the first one says how many there are, the others which workflow it is.

    A domain adds the fields that the steps of its workflow accept.
    """

    workflow_id: UUID | None = None
    workflow_total_steps: int | None = Field(default=None, ge=1, le=100)
    step_number: int = Field(ge=1, le=100)
    trigger_workflow: bool = False
    callback_topic: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _begins_or_goes_on(self) -> Self:
        if self.workflow_id is None and self.workflow_total_steps is None:
            raise ValueError("workflow_total_steps is required when workflow_id is not provided")
        if self.workflow_id is not None and self.workflow_total_steps is not None:
            raise ValueError("workflow_total_steps and workflow_id cannot be provided together")
        return self

    @classmethod
    def step_fields(cls) -> frozenset[str]:
        """Return the names of what a step can say."""
        return frozenset(cls.model_fields) - _ENVELOPE

    def fields(self) -> dict[str, Any]:
        """Return what the step says, as JSON, without what is null or was left out."""
        return self.model_dump(mode="json", include=self.model_fields_set - _ENVELOPE, exclude_none=True)


class WorkflowQuery(Paging):
    """With `search`, `title` is looked for in titles; without, it must be the workflow's title."""

    workflow_type: str | None = Field(default=None, max_length=100)
    title: OptionalText = None


class Progress(StepList):
    """The list of steps that is worked on, and what it is called among the workflow's steps."""

    progress_type: str | None = Field(default=None, description="What the list is called among the workflow's steps")


class WorkflowSummary(Schema):
    id: UUID
    title: str | None
    icon: str | None
    tag: str | None
    progress: Progress | None
    workflow_type: str
    total_steps: int
    status: Status
    current_step: int
    reason: str | None
    created_at: datetime
    modified_at: datetime


class WorkflowList(PageAnswer):
    object: Literal["workflow.list"] = "workflow.list"
    message: str = "Workflows found"
    workflows: list[WorkflowSummary]


class WorkflowState(Answer):
    workflow_id: UUID
    workflow_type: str
    status: Status
    current_step: int
    total_steps: int
    reason: str | None

    @classmethod
    def of(cls, workflow: Any, **more: Any) -> Self:
        """Return it of the workflow's row, with the fields that a subclass adds."""
        names = ("workflow_type", "status", "current_step", "total_steps", "reason")
        return cls(workflow_id=workflow.id, **{name: getattr(workflow, name) for name in names}, **more)


class WorkflowRetrieved(WorkflowState):
    object: Literal["workflow.get"] = "workflow.get"
    message: str = "Workflow data retrieved successfully"
    id: UUID
    workflow_steps: SerializeAsAny[WorkflowSteps]
    experiment_id: str | None = None
    client_metadata: ClientMetadata | None = Field(
        default=None, description="What a browser keeps of its own, to go on where it left"
    )


class WorkflowUpdated(WorkflowState):
    object: Literal["workflow.update"] = "workflow.update"
    message: str = "Workflow marked as completed"


class WorkflowDeleted(Answer):
    object: Literal["workflow.delete"] = "workflow.delete"
