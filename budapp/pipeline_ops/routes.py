from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.integrations.budpipeline import EventTrigger
from budapp.pipeline_ops import executions, services, triggers
from budapp.pipeline_ops import schemas as view
from budapp.pipeline_ops.executions import Executions
from budapp.pipeline_ops.models import PartKind
from budapp.pipeline_ops.services import Pipelines
from budapp.pipeline_ops.triggers import Triggers

router = APIRouter(prefix="/budpipeline", tags=["pipelines"], route_class=IdempotentRoute)

Person = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
OfPipeline = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.get_pipeline))]
OfExecution = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=executions.get_execution))]
OfSchedule = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=triggers.get_schedule))]
OfWebhook = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=triggers.get_webhook))]
OfTrigger = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=triggers.get_event_trigger))]
PipelinesDep = Annotated[Pipelines, provided(Pipelines)]
ExecutionsDep = Annotated[Executions, provided(Executions)]
TriggersDep = Annotated[Triggers, provided(Triggers)]
ActionType = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Parts = Annotated[view.PartQuery, Query()]
_SLOW = [may_take(TRIGGER_SECONDS)]
_ONE = "/schedules/{schedule_id}"


@router.get("")
async def list_pipelines(
    caller: Person, session: Read, pipelines: PipelinesDep, query: Annotated[view.ListQuery, Query()]
) -> view.PipelineList:
    """List your pipelines."""
    return await pipelines.page(session, caller, query)


@router.post("", status_code=201)
async def create_pipeline(
    data: view.PipelineCreate, caller: Person, session: Write, pipelines: PipelinesDep
) -> view.PipelineAnswer:
    """Make a pipeline of your own."""
    return await pipelines.create(session, caller, data)


@router.post("/validate")
async def validate_dag(data: view.DagValidate, _caller: Person, pipelines: PipelinesDep) -> view.DagValidated:
    """Look whether a DAG can be carried out; nothing is kept."""
    return await pipelines.validate(data)


@router.post("/run", status_code=201, dependencies=_SLOW)
async def run_definition(
    data: view.PipelineRun, caller: Person, session: Write, runs: ExecutionsDep
) -> view.ExecutionStarted:
    """Run a definition once, without keeping it."""
    return await runs.run(session, caller, data)


@router.get("/actions")
async def list_actions(_caller: Person, pipelines: PipelinesDep) -> view.ActionList:
    """List what steps can do, with the parameters that they take."""
    return await pipelines.actions()


@router.post("/actions/validate")
async def validate_action(data: view.ActionValidate, _caller: Person, pipelines: PipelinesDep) -> view.ActionValidated:
    """Look whether an action takes these parameters."""
    return await pipelines.validate_action(data)


@router.get("/actions/{action_type}")
async def get_action(action_type: ActionType, _caller: Person, pipelines: PipelinesDep) -> view.ActionAnswer:
    """Get an action that steps can do."""
    return await pipelines.action(action_type)


@router.get("/executions")
async def list_executions(
    caller: Person, session: Read, runs: ExecutionsDep, query: Annotated[view.ExecutionQuery, Query()]
) -> view.ExecutionList:
    """List the executions of a pipeline, or those that you have started."""
    return await runs.page(session, caller, query)


@router.get("/executions/{execution_id}")
async def get_execution(
    execution_id: UUID, caller: OfExecution, session: Read, runs: ExecutionsDep
) -> view.ExecutionAnswer:
    """Get an execution with its steps."""
    return await runs.get(session, caller, execution_id)


@router.get("/executions/{execution_id}/progress")
async def get_progress(
    execution_id: UUID, caller: OfExecution, session: Read, runs: ExecutionsDep
) -> view.ProgressAnswer:
    """Return how an execution goes, step by step."""
    return await runs.progress(session, caller, execution_id)


@router.get("/schedules")
async def list_schedules(caller: Person, session: Read, found: TriggersDep, query: Parts) -> view.ScheduleList:
    """List the schedules of a pipeline, or of all your pipelines."""
    return await found.schedules(session, caller, query)


@router.post("/schedules", status_code=201)
async def create_schedule(
    data: view.ScheduleCreate, caller: Person, session: Write, found: TriggersDep
) -> view.ScheduleAnswer:
    """Start a pipeline at certain times: by a cron expression, at an interval, or once."""
    return await found.create_schedule(session, caller, data)


@router.get(_ONE)
async def get_schedule(schedule_id: UUID, caller: OfSchedule, session: Read, found: TriggersDep) -> view.ScheduleAnswer:
    """Get a schedule."""
    return await found.get_schedule(session, caller, schedule_id)


@router.put(_ONE)
async def update_schedule(
    schedule_id: UUID, data: view.ScheduleUpdate, caller: OfSchedule, session: Write, found: TriggersDep
) -> view.ScheduleAnswer:
    """Change a schedule; what is left out stays as it is."""
    return await found.update_schedule(session, caller, schedule_id, data)


@router.delete(_ONE, status_code=204)
async def delete_schedule(schedule_id: UUID, caller: OfSchedule, session: Write, found: TriggersDep) -> None:
    """Delete a schedule."""
    await found.delete(session, caller, PartKind.SCHEDULE, schedule_id)


@router.post(_ONE + "/pause")
async def pause_schedule(
    schedule_id: UUID, caller: OfSchedule, session: Write, found: TriggersDep
) -> view.ScheduleAnswer:
    """Have a schedule fire no more until it is resumed."""
    return await found.pause(session, caller, schedule_id)


@router.post(_ONE + "/resume")
async def resume_schedule(
    schedule_id: UUID, caller: OfSchedule, session: Write, found: TriggersDep
) -> view.ScheduleAnswer:
    """Have a paused schedule fire again."""
    return await found.resume(session, caller, schedule_id)


@router.post(_ONE + "/trigger", dependencies=_SLOW)
async def trigger_schedule(
    schedule_id: UUID, caller: OfSchedule, session: Write, found: TriggersDep
) -> view.ExecutionStarted:
    """Start a schedule's pipeline at once, out of turn."""
    return await found.fire(session, caller, schedule_id)


@router.get("/webhooks")
async def list_webhooks(
    caller: Person, session: Read, found: TriggersDep, query: Parts
) -> list[view.PipelineWebhookView]:
    """List the webhooks of a pipeline, or of all your pipelines; secrets are never among it."""
    return await found.webhooks(session, caller, query)


@router.post("/webhooks", status_code=201)
async def create_webhook(
    data: view.PipelineWebhookCreate, caller: Person, session: Write, found: TriggersDep
) -> view.PipelineWebhookAnswer:
    """Make an address that starts a pipeline; the answer shows its secret, once."""
    return await found.create_webhook(session, caller, data)


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def delete_webhook(webhook_id: UUID, caller: OfWebhook, session: Write, found: TriggersDep) -> None:
    """Delete a webhook; its address starts nothing any more."""
    await found.delete(session, caller, PartKind.WEBHOOK, webhook_id)


@router.post("/webhooks/{webhook_id}/rotate-secret")
async def rotate_secret(
    webhook_id: UUID, caller: OfWebhook, session: Write, found: TriggersDep
) -> view.PipelineWebhookAnswer:
    """Give a webhook another secret; the answer shows it, once, and the old one counts no more."""
    return await found.rotate_secret(session, caller, webhook_id)


@router.get("/event-triggers")
async def list_event_triggers(caller: Person, session: Read, found: TriggersDep, query: Parts) -> list[EventTrigger]:
    """List the event triggers of a pipeline, or of all your pipelines."""
    return list(await found.event_triggers(session, caller, query))


@router.post("/event-triggers", status_code=201)
async def create_event_trigger(
    data: view.EventTriggerCreate, caller: Person, session: Write, found: TriggersDep
) -> view.EventTriggerAnswer:
    """Have events start a pipeline."""
    return await found.create_event_trigger(session, caller, data)


@router.delete("/event-triggers/{trigger_id}", status_code=204)
async def delete_event_trigger(trigger_id: UUID, caller: OfTrigger, session: Write, found: TriggersDep) -> None:
    """Delete an event trigger."""
    await found.delete(session, caller, PartKind.EVENT_TRIGGER, trigger_id)


@router.get("/{pipeline_id}")
async def get_pipeline(
    pipeline_id: UUID, caller: OfPipeline, session: Read, pipelines: PipelinesDep
) -> view.PipelineAnswer:
    """Get a pipeline with its DAG."""
    return await pipelines.get(session, caller, pipeline_id)


@router.put("/{pipeline_id}", dependencies=_SLOW)
async def update_pipeline(
    pipeline_id: UUID, data: view.PipelineUpdate, caller: OfPipeline, session: Write, pipelines: PipelinesDep
) -> view.PipelineAnswer:
    """Change a pipeline; what is left out, the DAG too, stays as it is."""
    return await pipelines.update(session, caller, pipeline_id, data)


@router.delete("/{pipeline_id}", status_code=204, dependencies=_SLOW)
async def delete_pipeline(pipeline_id: UUID, caller: OfPipeline, session: Write, pipelines: PipelinesDep) -> None:
    """Delete a pipeline, with what starts it."""
    await pipelines.delete(session, caller, pipeline_id)


@router.post("/{pipeline_id}/execute", status_code=201, dependencies=_SLOW)
async def execute_pipeline(
    pipeline_id: UUID, data: view.PipelineExecute, caller: OfPipeline, session: Write, runs: ExecutionsDep
) -> view.ExecutionStarted:
    """Start a pipeline; its steps work with your rights."""
    return await runs.execute(session, caller, pipeline_id, data)
