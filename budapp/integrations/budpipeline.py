"""budpipeline: pipelines, their executions, and what starts them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from budapp.commons.errors import BadRequest, Conflict, NotFound, PeerFailed, TooManyRequests
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from budapp.integrations.peers import Json, Reply, read

logger = get_logger(__name__)

T = TypeVar("T", bound=BaseModel)

SECONDS = 8.0
"""Less than a request may take, so that whoever asks hears which service is slow."""
_AGAIN_SECONDS = 10
_REFUSALS = frozenset({400, 409, 413, 422})


class _Open(Reply):
    """What may have members that budapp does not know: they are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class DagParameter(_Open):
    """A parameter that an execution is given."""

    name: str
    type: str | None = None
    default: Any = None
    required: bool | None = None


class DagStep(_Open):
    """A step; `depends_on` are the ids of those that come before it."""

    id: str
    name: str | None = None
    action: str | None = Field(default=None, description="The type of the action, such as `model_add`")
    params: Json = {}
    depends_on: list[str] = []
    condition: str | None = Field(
        default=None, description="Expression that must be true for the step to run; null for always"
    )
    on_failure: str | None = None
    timeout_seconds: float | None = None


class Dag(_Open):
    """What a pipeline does, as budpipeline keeps it."""

    name: str | None = None
    version: str | None = None
    description: str | None = None
    parameters: list[DagParameter] = []
    steps: list[DagStep] = []
    outputs: Json = Field(default={}, description="Name → expression that takes it from the steps' outputs")


class RunDefinition(_Open):
    """What an execution runs."""

    name: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    params: Json = {}


class Pipeline(Reply):
    """A pipeline; `dag` is left out of some lists."""

    id: UUID
    name: str
    version: str = "1"
    status: str = "active"
    created_at: datetime
    updated_at: datetime | None = None
    step_count: int = 0
    user_id: str | None = None
    system_owned: bool = False
    description: str | None = None
    icon: str | None = None
    dag: Dag | None = Field(default=None, description="What it does; null in some lists")
    warnings: list[str] = []
    execution_count: int = 0
    last_execution_at: datetime | None = None


class Pipelines(Reply):
    items: list[Pipeline]


class Verdict(Reply):
    """What budpipeline finds of a DAG, or of an action's parameters."""

    valid: bool
    errors: list[str] = []
    warnings: list[str] = []
    step_count: int = 0
    has_cycles: bool = False


class StartedExecution(Reply):
    """An execution that has just begun."""

    execution_id: UUID
    workflow_id: str | None = None
    workflow_name: str | None = None
    status: str
    started_at: datetime | None = None


class TriggeredExecution(Reply):
    """The execution that a schedule has begun out of turn."""

    execution_id: UUID
    status: str = "RUNNING"


class PipelineExecution(Reply):
    """An execution; `pipeline_definition` is what it runs, as budpipeline keeps it."""

    id: UUID
    pipeline_definition: RunDefinition = RunDefinition()
    initiator: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    status: str
    progress_percentage: Decimal = Decimal(0)
    final_outputs: Json | None = None
    error_info: Json | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ExecutionPaging(Reply):
    page: int = 1
    page_size: int = 20
    total_count: int = 0
    total_pages: int = 1


class PipelineExecutions(Reply):
    executions: list[PipelineExecution]
    pagination: ExecutionPaging = ExecutionPaging()


class StepExecution(Reply):
    step_id: str
    step_name: str
    status: str
    start_time: datetime | None = None
    end_time: datetime | None = None
    progress_percentage: Decimal = Decimal(0)
    outputs: Json | None = None
    error_message: str | None = None
    retry_count: int = 0
    sequence_number: int = 0


class ExecutionEvent(Reply):
    id: UUID
    event_type: str = Field(description="What happened, as budpipeline names it")
    progress_percentage: Decimal = Decimal(0)
    eta_seconds: int | None = None
    current_step_desc: str | None = None
    timestamp: datetime
    sequence_number: int = 0


class AggregatedProgress(Reply):
    overall_progress: Decimal = Field(default=Decimal(0), description="How much is done, in percent, as a decimal")
    eta_seconds: int | None = None
    completed_steps: int = Field(default=0, description="How many steps are done")
    total_steps: int = 0
    current_step: str | None = Field(default=None, description="The name of the step that goes on; null for none")


class ExecutionProgress(Reply):
    """How an execution goes, step by step."""

    execution: PipelineExecution
    steps: list[StepExecution] = []
    recent_events: list[ExecutionEvent] = []
    aggregated_progress: AggregatedProgress = AggregatedProgress()


class ScheduleTiming(Reply):
    """When a schedule fires."""

    type: str
    expression: str | None = Field(
        default=None, description="A cron expression of five fields, or an interval such as `15m`; null for `one_time`"
    )
    timezone: str = "UTC"
    run_at: datetime | None = None


class PipelineSchedule(Reply):
    id: UUID
    workflow_id: UUID
    name: str
    schedule: ScheduleTiming
    params: Json = {}
    enabled: bool = True
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    next_run_at: datetime | None = None
    last_run_at: datetime | None = None
    last_execution_id: str | None = None
    last_execution_status: str | None = None
    run_count: int = 0
    max_runs: int | None = None
    expires_at: datetime | None = Field(default=None, description="After when it no longer runs; null for never")
    status: str = "active"


class PipelineSchedules(Reply):
    schedules: list[PipelineSchedule]


class PipelineWebhookConfig(Reply):
    require_secret: bool = True
    allowed_ips: list[str] | None = None
    headers_to_include: list[str] = []


class PipelineWebhook(Reply):
    """A webhook; `secret` is there once, where it has just been made."""

    id: UUID
    workflow_id: UUID
    name: str
    endpoint_url: str = Field(description="The address to call")
    config: PipelineWebhookConfig = PipelineWebhookConfig()
    params: Json = {}
    enabled: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_triggered_at: datetime | None = None
    trigger_count: int = 0
    secret: str | None = Field(
        default=None, repr=False, description="What callers send along; shown once, where it has just been made"
    )


class PipelineWebhooks(Reply):
    items: list[PipelineWebhook]


class EventTriggerConfig(Reply):
    event_type: str = Field(description="The event that starts the pipeline")
    filters: Json = Field(default={}, description="Member of the event → the value that it must have")


class EventTrigger(Reply):
    id: UUID
    workflow_id: UUID
    name: str
    config: EventTriggerConfig
    params: Json = {}
    enabled: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_triggered_at: datetime | None = None
    trigger_count: int = 0


class EventTriggers(Reply):
    items: list[EventTrigger]


class _Camel(Reply):
    model_config = ConfigDict(extra="ignore", protected_namespaces=(), alias_generator=to_camel, populate_by_name=True)


class ActionOption(_Camel):
    value: str
    label: str


class ActionRules(_Camel):
    min: float | None = Field(default=None, description="The least value; null for any")
    max: float | None = Field(default=None, description="The greatest value; null for any")
    min_length: int | None = Field(default=None, description="How many characters at least; null for any number")
    max_length: int | None = Field(default=None, description="How many characters at most; null for any number")
    pattern: str | None = Field(
        default=None, description="Regular expression that the text must match; null for any text"
    )
    pattern_message: str | None = None


class ActionCondition(_Camel):
    """When a parameter is shown."""

    param: str = Field(description="The other parameter that it depends on")
    equals: Any = None
    not_equals: Any = None


class ActionParameter(_Camel):
    name: str
    label: str
    type: str
    description: str | None = None
    required: bool = False
    default: Any = None
    placeholder: str | None = None
    options: list[ActionOption] | None = None
    validation: ActionRules | None = None
    visible_when: ActionCondition | None = None


class ActionOutput(_Camel):
    name: str
    type: str = "string"
    description: str | None = None


class ActionRetryPolicy(_Camel):
    max_attempts: int | None = Field(default=None, description="How often the step is tried at most")
    backoff_multiplier: float | None = Field(
        default=None, description="How many times longer each pause is than the one before"
    )
    initial_interval_seconds: float | None = Field(default=None, description="How many seconds the first pause is")


class ActionExample(_Camel):
    title: str
    params: Json
    description: str | None = None


class PipelineAction(_Camel):
    """Something that a step can do."""

    type: str
    version: str
    name: str
    description: str = ""
    category: str
    icon: str | None = None
    color: str | None = None
    params: list[ActionParameter] = []
    outputs: list[ActionOutput] = []
    execution_mode: str = "sync"
    timeout_seconds: int | None = None
    retry_policy: ActionRetryPolicy | None = None
    idempotent: bool = False
    required_services: list[str] = []
    required_permissions: list[str] = []
    examples: list[ActionExample] = []
    docs_url: str | None = None


class ActionCategory(_Camel):
    name: str
    icon: str
    actions: list[PipelineAction]


class Actions(Reply):
    actions: list[PipelineAction]
    categories: list[ActionCategory] = []
    total: int = 0


class BudPipeline:
    """budpipeline, asked with a deadline; what it says is read once, here.

    Every method raises `PeerFailed` where it fails or makes no sense, `Unavailable` where it can't be reached in time,
    `NotFound` where it does not know what it is asked about, `BadRequest` or `Conflict` in its own words where it
    refuses what was sent, and `TooManyRequests` where it is asked too often.
    """

    def __init__(self, dapr: DaprClient) -> None:
        self._dapr = dapr

    async def ask(
        self,
        schema: type[T],
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        owner: UUID | None = None,
    ) -> T:
        """Return the answer as the schema has it; a bare list is its `items`.

        Args:
            schema: what is read of the answer.
            method: the HTTP method.
            path: of budpipeline.
            body: JSON.
            params: the query.
            owner: the person whose things are meant.
        """
        answer = await self._send(method, path, body, params, owner)
        try:
            found, odd = read(schema, {"items": answer} if isinstance(answer, list) else answer)
        except ValidationError as error:
            logger.warning("peer_failed", peer=Peer.BUDPIPELINE, path=path, answer="malformed")
            raise PeerFailed from error
        if odd:
            logger.warning("peer_answer_odd", peer=Peer.BUDPIPELINE, path=path, members=sorted(odd)[:10])
        return found

    async def tell(self, method: str, path: str, owner: UUID | None = None) -> None:
        """Have budpipeline do something that it answers with nothing."""
        await self._send(method, path, None, None, owner)

    async def _send(
        self, method: str, path: str, body: Any, params: Mapping[str, Any] | None, owner: UUID | None
    ) -> Any:
        headers = {"X-User-ID": str(owner)} if owner is not None else None
        try:
            return await self._dapr.invoke(
                Peer.BUDPIPELINE, method, path, json=body, params=params, timeout=SECONDS, headers=headers
            )
        except PeerRefused as error:
            raise _refusal(error) from error


def _refusal(error: PeerRefused) -> Exception:
    if error.peer_status == 404:
        return NotFound("budpipeline does not know this any more")
    if error.peer_status == 429:
        return TooManyRequests(_AGAIN_SECONDS)
    if error.peer_status == 409:
        return Conflict(error.text)
    return BadRequest(error.text) if error.peer_status in _REFUSALS else error
