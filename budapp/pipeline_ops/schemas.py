from datetime import datetime
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from budapp.commons.schemas import Answer, Schema, blank_to_none
from budapp.commons.storable import StorableText, fitting, within
from budapp.commons.timestamps import AwareTimestamp
from budapp.integrations import budpipeline as peer
from budapp.integrations.peers import Json
from budapp.pipeline_ops import dags, timing


def _network(address: str) -> str:
    return str(ip_network(address.strip(), strict=False))


Text = StorableText
Label = Annotated[Text, StringConstraints(max_length=100)]
Title = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Description = Annotated[Text, StringConstraints(max_length=1000)]
Icon = Annotated[Text, StringConstraints(max_length=500)]
Expression = Annotated[Text, StringConstraints(strip_whitespace=True, max_length=200)]
Params = Annotated[Json, within(dags.MAX_PARAMETER_BYTES)]
ActionType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
EventType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:*-]{1,100}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
Status = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]{1,30}$"), AfterValidator(str.upper)]


class _OpenPost(Schema):
    """Anything else that budpipeline knows of a DAG, its steps and parameters goes there as it is."""

    model_config = ConfigDict(extra="allow")


class DagParameterPost(_OpenPost):
    name: Label
    type: Label | None = None
    default: Any = None
    required: bool | None = None


class DagStepPost(_OpenPost):
    id: Label
    name: Title | None = None
    action: Label | None = Field(default=None, description="The type of the action, such as `model_add`")
    params: Json = {}
    depends_on: list[Label] = Field(default=[], max_length=dags.MAX_STEPS)
    condition: Annotated[Text, StringConstraints(max_length=2000)] | None = Field(
        default=None, description="Expression that must be true for the step to run; null for always"
    )
    on_failure: Label | None = None
    timeout_seconds: float | None = Field(default=None, gt=0, le=7 * 24 * 3600, allow_inf_nan=False)


class DagPost(_OpenPost):
    """The steps of a pipeline, and what each of them waits for."""

    name: Title | None = None
    version: Label | None = None
    description: Description | None = None
    parameters: list[DagParameterPost] = Field(default=[], max_length=100)
    steps: list[DagStepPost] = Field(default=[], max_length=dags.MAX_STEPS)
    outputs: Json = Field(default={}, description="Name → expression that takes it from the steps' outputs")

    @model_validator(mode="after")
    def _small(self) -> Self:
        fitting(self.sent(), dags.MAX_BYTES)
        return self

    def sent(self) -> Json:
        """Return it as budpipeline is given it."""
        return self.model_dump(mode="json", exclude_unset=True)

    def problems(self) -> list[str]:
        """Return why it can't be carried out, in words."""
        return dags.problems([step.model_dump() for step in self.steps])

    @property
    def has_cycle(self) -> bool:
        """Whether steps wait for each other."""
        return dags.has_cycle([step.model_dump() for step in self.steps])


class DagValidate(Schema):
    dag: DagPost


class PipelineCreate(Schema):
    """The name is the DAG's, where none is given."""

    dag: DagPost
    name: Title | None = None
    icon: Icon | None = None


class PipelineUpdate(Schema):
    """What is to change; what is left out stays as it is."""

    dag: DagPost | None = None
    name: Title | None = None
    icon: Icon | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("nothing is to change")
        return self


class PipelineExecute(Schema):
    params: Params = {}


class PipelineRun(Schema):
    """A definition to run once, without keeping it."""

    pipeline_definition: DagPost
    params: Params = {}


class ActionValidate(Schema):
    """`actionType` is another name for `action_type`."""

    action_type: ActionType = Field(description="The type of the action, such as `model_add`")
    params: Params = {}

    @model_validator(mode="before")
    @classmethod
    def _either_name(cls, value: Any) -> Any:
        if isinstance(value, dict) and "action_type" not in value and "actionType" in value:
            return {**value, "action_type": value["actionType"]}
        return value


class ListQuery(Schema):
    """`include_system` adds the platform's own pipelines, to be looked at."""

    include_system: bool = False


class ExecutionQuery(Schema):
    """Without `workflow_id`, the caller's own executions."""

    workflow_id: Annotated[UUID | None, BeforeValidator(blank_to_none)] = None
    status: Annotated[Status | None, BeforeValidator(blank_to_none)] = None
    initiator: Annotated[Label | None, BeforeValidator(blank_to_none)] = None
    start_date: AwareTimestamp | None = None
    end_date: AwareTimestamp | None = None
    page: int = Field(default=1, ge=1, le=100_000)
    page_size: int = Field(default=20, ge=1, le=100)


class PartQuery(Schema):
    """Without `workflow_id`, those of all pipelines in the caller's reach."""

    workflow_id: Annotated[UUID | None, BeforeValidator(blank_to_none)] = None


class ScheduleTimingPost(Schema):
    """When a schedule fires.

    `expression` is a cron expression of five fields, or an interval such as `15m`; `run_at` is the moment of a schedule
    that fires once.
    """

    type: Literal["cron", "interval", "one_time"]
    expression: Expression | None = Field(
        default=None, description="A cron expression of five fields, or an interval such as `15m`; none for `one_time`"
    )
    timezone: Annotated[str, StringConstraints(max_length=64), AfterValidator(timing.check_zone)] = "UTC"
    run_at: AwareTimestamp | None = None

    @model_validator(mode="after")
    def _due(self) -> Self:
        if self.type == "one_time":
            if self.run_at is None:
                raise ValueError("run_at says when a schedule of this type fires; add it")
        elif not self.expression:
            raise ValueError("expression says when a schedule of this type fires; add it")
        else:
            check = timing.check_cron if self.type == "cron" else timing.check_interval
            try:
                check(self.expression)
            except ValueError as error:
                raise ValueError(f"expression {error}") from None
        return self


class ScheduleCreate(Schema):
    workflow_id: UUID
    name: Title
    schedule: ScheduleTimingPost
    params: Params = {}
    enabled: bool = True
    description: Description | None = None
    max_runs: int | None = Field(default=None, ge=1, le=1_000_000)
    expires_at: AwareTimestamp | None = Field(default=None, description="After when it no longer runs; null for never")


_DISPENSABLE = frozenset({"description", "max_runs", "expires_at"})


class ScheduleUpdate(Schema):
    """What is to change; what is left out stays as it is."""

    name: Title | None = None
    schedule: ScheduleTimingPost | None = None
    params: Params | None = None
    enabled: bool | None = None
    description: Description | None = None
    max_runs: int | None = Field(default=None, ge=1, le=1_000_000)
    expires_at: AwareTimestamp | None = Field(default=None, description="After when it no longer runs; null for never")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.changes():
            raise ValueError("nothing is to change")
        return self

    def changes(self) -> dict[str, Any]:
        """Return what is to change, as JSON; null takes away what a schedule can do without, and leaves the rest."""
        given = self.model_dump(mode="json", exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name in _DISPENSABLE}


class WebhookConfigPost(Schema):
    require_secret: bool = True
    allowed_ips: list[Annotated[str, StringConstraints(max_length=50), AfterValidator(_network)]] | None = Field(
        default=None, max_length=100
    )
    headers_to_include: list[HeaderName] = Field(default=[], max_length=20)


class PipelineWebhookCreate(Schema):
    """`require_secret` beside the others counts like the one in `config`."""

    workflow_id: UUID
    name: Title
    require_secret: bool | None = None
    config: WebhookConfigPost = WebhookConfigPost()
    params: Params = {}
    enabled: bool = True

    def settings(self) -> Json:
        """Return the configuration as budpipeline takes it."""
        said = {} if self.require_secret is None else {"require_secret": self.require_secret}
        return {**self.config.model_dump(mode="json"), **said}


class EventConfigPost(Schema):
    event_type: EventType = Field(description="The event that starts the pipeline")
    filters: Params = Field(default={}, description="Member of the event → the value that it must have")


class EventTriggerCreate(Schema):
    """The event is named in `config`, or by `event_type` and `filters` beside the others."""

    workflow_id: UUID
    name: Title
    event_type: EventType | None = Field(default=None, description="The event that starts the pipeline")
    filters: Params = Field(default={}, description="Member of the event → the value that it must have")
    config: EventConfigPost | None = None
    params: Params = {}
    enabled: bool = True

    @model_validator(mode="after")
    def _names_an_event(self) -> Self:
        if self.config is None and self.event_type is None:
            raise ValueError("event_type says which event starts the pipeline; add it")
        return self

    def settings(self) -> Json:
        """Return the event as budpipeline takes it."""
        if self.config is not None:
            return self.config.model_dump(mode="json")
        return {"event_type": self.event_type, "filters": self.filters}


class PipelineAnswer(Answer, peer.Pipeline):
    """A pipeline."""

    object: Literal["pipeline"] = "pipeline"
    message: str = "Pipeline found"


class PipelineList(Answer):
    object: Literal["pipeline.list"] = "pipeline.list"
    message: str = "Pipelines found"
    workflows: list[peer.Pipeline]


class DagValidated(Answer):
    object: Literal["pipeline.validation"] = "pipeline.validation"
    valid: bool
    errors: list[str]
    warnings: list[str]
    step_count: int
    has_cycles: bool


class ActionValidated(Answer):
    object: Literal["pipeline_action.validation"] = "pipeline_action.validation"
    valid: bool
    errors: list[str]


class ActionList(Answer):
    object: Literal["pipeline_action.list"] = "pipeline_action.list"
    message: str = "Actions found"
    actions: list[peer.PipelineAction]
    categories: list[peer.ActionCategory]
    total: int


class ActionAnswer(Answer, peer.PipelineAction):
    """What a step can do."""

    object: Literal["pipeline_action"] = "pipeline_action"


class ExecutionStarted(Answer):
    object: Literal["pipeline_execution"] = "pipeline_execution"
    message: str = "Execution started"
    execution_id: UUID
    status: str
    workflow_id: UUID | None = None
    workflow_name: str | None = None
    started_at: datetime | None = None


class StepView(Schema):
    """A step of an execution; clients read some members under two names."""

    step_id: str
    step_name: str
    name: str
    status: str
    started_at: datetime | None
    start_time: datetime | None
    completed_at: datetime | None
    end_time: datetime | None
    progress_percentage: Decimal
    outputs: Json | None
    error: str | None
    error_message: str | None
    retry_count: int = Field(description="How often it was tried again")
    sequence_number: int

    @classmethod
    def of(cls, step: peer.StepExecution) -> Self:
        """Return it of what budpipeline says."""
        known = step.model_dump(exclude={"start_time", "end_time"})
        times = {"started_at": step.start_time, "start_time": step.start_time}
        ends = {"completed_at": step.end_time, "end_time": step.end_time}
        return cls(**known, **times, **ends, name=step.step_name, error=step.error_message)


class ExecutionErrorView(Schema):
    model_config = ConfigDict(extra="allow")

    message: str | None = None


class ExecutionView(Schema):
    """An execution; clients read some members under two names. Lists don't have the steps."""

    id: UUID
    execution_id: UUID
    workflow_id: UUID | None
    workflow_name: str | None
    pipeline_definition: peer.RunDefinition
    initiator: str | None
    status: str
    progress_percentage: Decimal
    started_at: datetime | None
    start_time: datetime | None
    completed_at: datetime | None
    end_time: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    params: Json
    outputs: Json | None
    final_outputs: Json | None
    error: str | None
    error_info: ExecutionErrorView | None
    steps: list[StepView] | None

    @classmethod
    def of(
        cls, found: peer.PipelineExecution, pipeline_id: UUID | None, steps: list[peer.StepExecution] | None = None
    ) -> Self:
        """Return it of what budpipeline says, with the pipeline that it is one of."""
        runs, info = found.pipeline_definition, found.error_info or {}
        message = info.get("message")
        return cls(
            **found.model_dump(exclude={"pipeline_definition", "error_info"}),
            execution_id=found.id,
            workflow_id=pipeline_id,
            workflow_name=runs.workflow_name or runs.name,
            pipeline_definition=runs,
            started_at=found.start_time,
            completed_at=found.end_time,
            params=runs.params,
            outputs=found.final_outputs,
            error=str(message) if message else None,
            error_info=ExecutionErrorView.model_validate({**info, "message": str(message)}) if info else None,
            steps=None if steps is None else [StepView.of(step) for step in steps],
        )


class ExecutionAnswer(Answer, ExecutionView):
    """An execution."""

    object: Literal["pipeline_execution"] = "pipeline_execution"


class ExecutionList(Answer):
    object: Literal["pipeline_execution.list"] = "pipeline_execution.list"
    message: str = "Executions found"
    executions: list[ExecutionView]
    pagination: peer.ExecutionPaging


class ProgressAnswer(Answer):
    object: Literal["pipeline_execution.progress"] = "pipeline_execution.progress"
    execution: ExecutionView
    steps: list[StepView]
    recent_events: list[peer.ExecutionEvent]
    aggregated_progress: peer.AggregatedProgress


class ScheduleAnswer(Answer, peer.PipelineSchedule):
    """A schedule."""

    object: Literal["pipeline_schedule"] = "pipeline_schedule"


class ScheduleList(Answer):
    object: Literal["pipeline_schedule.list"] = "pipeline_schedule.list"
    message: str = "Schedules found"
    schedules: list[peer.PipelineSchedule]
    total: int


class PipelineWebhookAnswer(Answer, peer.PipelineWebhook):
    """A webhook. `secret` is shown this once: what calls the webhook sends it along."""

    object: Literal["pipeline_webhook"] = "pipeline_webhook"


class PipelineWebhookView(Schema):
    """A webhook, without its secret."""

    id: UUID
    workflow_id: UUID
    name: str
    endpoint_url: str = Field(description="The address to call")
    config: peer.PipelineWebhookConfig
    params: Json
    enabled: bool
    created_at: datetime | None
    updated_at: datetime | None
    last_triggered_at: datetime | None
    trigger_count: int


class EventTriggerAnswer(Answer, peer.EventTrigger):
    """An event trigger."""

    object: Literal["pipeline_event_trigger"] = "pipeline_event_trigger"
