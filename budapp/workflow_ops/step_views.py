"""What the steps of workflows look like to browsers: each domain declares its own fields; what is not said is null."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field, create_model

from budapp.commons.schemas import Schema

Json = dict[str, Any]


class Named(Schema):
    id: UUID
    name: str


class EventContent(Schema):
    title: str | None = None
    message: str | None = None
    status: str | None = None
    result: Any = Field(default=None, description="What came of it, in the words of the service")
    icon: str | None = None
    tag: str | None = None
    primary_action: str | None = None
    secondary_action: str | None = None


class EventPayload(Schema):
    """The last event of a step; empty before the first one."""

    category: str | None = Field(default=None, description="`internal`, as services tell each other")
    type: str | None = None
    event: str | None = Field(default=None, description="The step that it is about, `eta` or `results`")
    workflow_id: str | None = None
    source: str | None = Field(default=None, description="The topic that it came by")
    content: EventContent | None = None


class StepProgress(Schema):
    id: str
    title: str
    description: str
    payload: EventPayload = Field(description="The last event of the step; its members are null before the first one")


class ClusterMetadata(Schema):
    tool_calling_parser_type: str | None = None
    reasoning_parser_type: str | None = None
    chat_template: str | None = None
    supports_lora: bool | None = None
    supports_pipeline_parallelism: bool | None = None


class StepList(Schema):
    """The steps that another service works through; `eta` is in minutes."""

    workflow_id: str | None = Field(default=None, description="The other service's id of the work")
    status: str | None = None
    eta: int | None = None
    steps: list[StepProgress] = []
    recommended_cluster_count: int | None = None
    endpoint_id: UUID | None = None
    endpoint_url: str | None = Field(default=None, description="Where the deployment can be called, once it runs")
    message: str | None = None
    metadata: ClusterMetadata | None = None


class ExecutionStatus(Schema):
    """What came of a workflow, in words."""

    status: str
    message: str


class ClientMetadata(Schema):
    """What a browser keeps of its own, to go on where it left."""

    model_config = ConfigDict(extra="allow")

    sessions: list[Json] | None = None
    activeSessionIds: list[str] | None = None  # noqa: N815 - the browser's name
    selectedSessionId: str | None = None  # noqa: N815


class WorkflowSteps(Schema):
    """Everything that the steps have said so far, with the objects that they name."""


View = type[WorkflowSteps]
StepObjects = dict[str, Schema | None]
"""The objects that steps name, each under its field of the view."""


def compose(views: Iterable[View]) -> View:
    """Return what has the fields of all the views.

    Raises:
        ValueError: two views have a field of the same name and of different types.
    """
    chosen = list(dict.fromkeys(views))
    bases = [view for view in chosen if not any(other is not view and issubclass(other, view) for other in chosen)]
    _check_alike(bases)
    return create_model("WorkflowSteps", __base__=tuple(bases) or (WorkflowSteps,), __doc__=WorkflowSteps.__doc__)


def _check_alike(views: Iterable[View]) -> None:
    seen: dict[str, Any] = {}
    for view in views:
        for name, field in view.model_fields.items():
            if seen.setdefault(name, field.annotation) != field.annotation:
                raise ValueError(f"{view.__name__} and another view have a field {name} of different types")
