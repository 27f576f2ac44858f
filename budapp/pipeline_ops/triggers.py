"""What starts pipelines by itself: schedules, webhooks and events."""

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, after_rollback, now, release
from budapp.commons.errors import BadRequest, NotFound, PeerFailed
from budapp.integrations import budpipeline as peer
from budapp.integrations.budpipeline import BudPipeline
from budapp.integrations.peers import Json
from budapp.pipeline_ops import crud
from budapp.pipeline_ops import schemas as view
from budapp.pipeline_ops.crud import PartCrud, PipelineCrud
from budapp.pipeline_ops.executions import note_execution
from budapp.pipeline_ops.models import PartKind, PipelinePart
from budapp.pipeline_ops.services import get_pipeline

_PATHS = {PartKind.SCHEDULE: "schedules", PartKind.WEBHOOK: "webhooks", PartKind.EVENT_TRIGGER: "event-triggers"}

Trigger = peer.PipelineSchedule | peer.PipelineWebhook | peer.EventTrigger
T = TypeVar("T", peer.PipelineSchedule, peer.PipelineWebhook, peer.EventTrigger)


async def get_schedule(session: ReadSession, caller: Caller, schedule_id: UUID) -> PipelinePart:
    """Return whose the schedule is, or raise `NotFound` where it is out of the caller's reach."""
    return await PartCrud(session, caller, PartKind.SCHEDULE).get_part(schedule_id)


async def get_webhook(session: ReadSession, caller: Caller, webhook_id: UUID) -> PipelinePart:
    """Return whose the webhook is, or raise `NotFound` where it is out of the caller's reach."""
    return await PartCrud(session, caller, PartKind.WEBHOOK).get_part(webhook_id)


async def get_event_trigger(session: ReadSession, caller: Caller, trigger_id: UUID) -> PipelinePart:
    """Return whose the event trigger is, or raise `NotFound` where it is out of the caller's reach."""
    return await PartCrud(session, caller, PartKind.EVENT_TRIGGER).get_part(trigger_id)


class Triggers:
    """What is done with triggers. Whatever budpipeline refuses, fails at or does not answer is raised as it is."""

    def __init__(self, budpipeline: BudPipeline, database: Database) -> None:
        self._peer = budpipeline
        self._database = database

    async def schedules(self, session: ReadSession, caller: Caller, query: view.PartQuery) -> view.ScheduleList:
        """Return the schedules of a pipeline, or of all in reach; or raise `NotFound`."""
        pipelines = await _pipelines(session, caller, query)
        found = await self._peer.ask(peer.PipelineSchedules, "GET", "schedules", params=query.model_dump())
        shown = await self._shown(session, caller, PartKind.SCHEDULE, found.schedules, pipelines)
        return view.ScheduleList(schedules=shown, total=len(shown))

    async def create_schedule(
        self, session: WriteSession, caller: Caller, data: view.ScheduleCreate
    ) -> view.ScheduleAnswer:
        """Have budpipeline start a pipeline at certain times.

        Raises:
            NotFound: no such pipeline, or out of reach.
            BadRequest: it would never fire, as its time has gone by.
        """
        _refuse_past(data.schedule, data.expires_at)
        body = data.model_dump(mode="json", exclude_none=True)
        made = await self._create(session, caller, PartKind.SCHEDULE, peer.PipelineSchedule, body)
        return view.ScheduleAnswer.model_validate({**made.model_dump(), "message": "Schedule created"})

    async def get_schedule(self, session: ReadSession, caller: Caller, schedule_id: UUID) -> view.ScheduleAnswer:
        """Return a schedule, or raise `NotFound`."""
        await get_schedule(session, caller, schedule_id)
        await release(session)
        found = await self._peer.ask(peer.PipelineSchedule, "GET", f"schedules/{schedule_id}")
        return view.ScheduleAnswer.model_validate(found)

    async def update_schedule(
        self, session: WriteSession, caller: Caller, schedule_id: UUID, data: view.ScheduleUpdate
    ) -> view.ScheduleAnswer:
        """Change what was sent.

        Raises:
            NotFound: no such schedule, or out of reach.
            BadRequest: it would never fire any more.
        """
        _refuse_past(data.schedule, data.expires_at)
        changes = data.changes()
        return await self._change(session, caller, schedule_id, "PUT", "", "Schedule changed", changes)

    async def pause(self, session: WriteSession, caller: Caller, schedule_id: UUID) -> view.ScheduleAnswer:
        """Have a schedule fire no more until it is resumed; or raise `NotFound`."""
        return await self._change(session, caller, schedule_id, "POST", "/pause", "Schedule paused")

    async def resume(self, session: WriteSession, caller: Caller, schedule_id: UUID) -> view.ScheduleAnswer:
        """Have a schedule fire again; or raise `NotFound`."""
        return await self._change(session, caller, schedule_id, "POST", "/resume", "Schedule resumed")

    async def fire(self, session: WriteSession, caller: Caller, schedule_id: UUID) -> view.ExecutionStarted:
        """Start the pipeline of a schedule at once, out of turn; or raise `NotFound`."""
        part = await get_schedule(session, caller, schedule_id)
        await release(session)
        begun = await self._peer.ask(peer.TriggeredExecution, "POST", f"schedules/{schedule_id}/trigger")
        return await note_execution(session, caller, begun, part.pipeline_id)

    async def webhooks(
        self, session: ReadSession, caller: Caller, query: view.PartQuery
    ) -> list[view.PipelineWebhookView]:
        """Return the webhooks of a pipeline, or of all in reach, without their secrets; or raise `NotFound`."""
        pipelines = await _pipelines(session, caller, query)
        found = await self._peer.ask(peer.PipelineWebhooks, "GET", "webhooks", params=query.model_dump())
        shown = await self._shown(session, caller, PartKind.WEBHOOK, found.items, pipelines)
        return [view.PipelineWebhookView.model_validate(one) for one in shown]

    async def create_webhook(
        self, session: WriteSession, caller: Caller, data: view.PipelineWebhookCreate
    ) -> view.PipelineWebhookAnswer:
        """Make an address that starts a pipeline; its secret is in this answer alone. Or raise `NotFound`."""
        known = data.model_dump(mode="json", include={"workflow_id", "name", "params", "enabled"})
        body = {**known, "config": data.settings()}
        made = await self._create(session, caller, PartKind.WEBHOOK, peer.PipelineWebhook, body)
        return view.PipelineWebhookAnswer.model_validate({**made.model_dump(), "message": "Webhook created"})

    async def rotate_secret(
        self, session: WriteSession, caller: Caller, webhook_id: UUID
    ) -> view.PipelineWebhookAnswer:
        """Give a webhook another secret, which is in this answer alone; the old one counts no more.

        Raises:
            NotFound: no such webhook, or out of reach.
            PeerFailed: budpipeline says no new secret.
        """
        part = await get_webhook(session, caller, webhook_id)
        await release(session)
        changed = await self._peer.ask(peer.PipelineWebhook, "POST", f"webhooks/{webhook_id}/rotate-secret")
        if not changed.secret:
            raise PeerFailed("budpipeline gave the webhook no new secret; try again")
        _record(session, Action.UPDATE, PartKind.WEBHOOK, webhook_id, part.name, {"change": "secret"})
        return view.PipelineWebhookAnswer.model_validate({**changed.model_dump(), "message": "Secret changed"})

    async def event_triggers(
        self, session: ReadSession, caller: Caller, query: view.PartQuery
    ) -> Sequence[peer.EventTrigger]:
        """Return the event triggers of a pipeline, or of all in reach; or raise `NotFound`."""
        pipelines = await _pipelines(session, caller, query)
        found = await self._peer.ask(peer.EventTriggers, "GET", "event-triggers", params=query.model_dump())
        return await self._shown(session, caller, PartKind.EVENT_TRIGGER, found.items, pipelines)

    async def create_event_trigger(
        self, session: WriteSession, caller: Caller, data: view.EventTriggerCreate
    ) -> view.EventTriggerAnswer:
        """Have events start a pipeline; or raise `NotFound`."""
        known = data.model_dump(mode="json", include={"workflow_id", "name", "params", "enabled"})
        body = {**known, "config": data.settings()}
        made = await self._create(session, caller, PartKind.EVENT_TRIGGER, peer.EventTrigger, body)
        return view.EventTriggerAnswer.model_validate({**made.model_dump(), "message": "Event trigger created"})

    async def delete(self, session: WriteSession, caller: Caller, kind: PartKind, id: UUID) -> None:
        """Delete a trigger, or raise `NotFound`; where budpipeline has it no more, it is forgotten here too."""
        parts = PartCrud(session, caller, kind)
        part = await parts.get_part(id)
        await release(session)
        with contextlib.suppress(NotFound):
            await self._peer.tell("DELETE", f"{_PATHS[kind]}/{id}")
        await session.delete(await parts.get_part(id, for_update=True))
        _record(session, Action.DELETE, kind, id, part.name, {})

    async def _create(self, session: WriteSession, caller: Caller, kind: PartKind, schema: type[T], body: Json) -> T:
        pipeline_id = UUID(str(body["workflow_id"]))
        await get_pipeline(session, caller, pipeline_id)
        await release(session)
        made = await self._peer.ask(schema, "POST", _PATHS[kind], body=body)
        after_rollback(session, partial(self._peer.tell, "DELETE", f"{_PATHS[kind]}/{made.id}"))
        if made.workflow_id != pipeline_id:
            raise PeerFailed("budpipeline has set up another pipeline than the one asked for")
        await get_pipeline(session, caller, pipeline_id)
        await crud.note_part(session, caller, kind, made.id, pipeline_id, made.name)
        _record(session, Action.CREATE, kind, made.id, made.name, {"pipeline_id": str(pipeline_id)})
        return made

    async def _change(
        self,
        session: WriteSession,
        caller: Caller,
        schedule_id: UUID,
        method: str,
        tail: str,
        message: str,
        body: Json | None = None,
    ) -> view.ScheduleAnswer:
        part = await get_schedule(session, caller, schedule_id)
        await release(session)
        path = f"schedules/{schedule_id}{tail}"
        changed = await self._peer.ask(peer.PipelineSchedule, method, path, body=body)
        details: Json = {"change": tail.removeprefix("/") or sorted(body or {})}
        _record(session, Action.UPDATE, PartKind.SCHEDULE, schedule_id, part.name, details)
        return view.ScheduleAnswer.model_validate({**changed.model_dump(), "message": message})

    async def _shown(
        self, session: ReadSession, caller: Caller, kind: PartKind, found: list[T], pipelines: set[UUID]
    ) -> list[T]:
        """Return those of the pipelines; what was set up past budapp is written down, so that it can be changed."""
        shown = [one for one in found if one.workflow_id in pipelines]
        known = await PartCrud(session, caller, kind).pipelines_of([one.id for one in shown])
        await release(session)
        new = [(one.id, one.workflow_id, one.name) for one in shown if one.id not in known]
        if new:
            async with self._database.write() as writing:
                await crud.note_parts(writing, kind, new)
        return shown


async def _pipelines(session: ReadSession, caller: Caller, query: view.PartQuery) -> set[UUID]:
    if query.workflow_id is not None:
        await get_pipeline(session, caller, query.workflow_id)
        found = {query.workflow_id}
    else:
        found = set(await PipelineCrud(session, caller).owners())
    await release(session)
    return found


def _refuse_past(timing: view.ScheduleTimingPost | None, expires_at: Any) -> None:
    if timing is not None and timing.run_at is not None and timing.type == "one_time" and timing.run_at <= now():
        raise BadRequest("The schedule would never fire: its time has gone by", param="run_at")
    if expires_at is not None and expires_at <= now():
        raise BadRequest("The schedule would never fire: it expires in the past", param="expires_at")


def _record(session: WriteSession, action: Action, kind: PartKind, id: UUID, name: str, details: Json) -> None:
    about: Json = {"resource_id": id, "resource_name": name}
    record(session, action, ResourceType.TASK, details={"table": "pipeline_part", "kind": kind, **details}, **about)
