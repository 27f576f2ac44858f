"""What happens to one workflow that is worked on, in one unit of work, with the workflow's row locked.

An attempt goes from `asking` to `running` with the service's answer, and ends with its results, a step that failed, a
deadline, or somebody who cancels. What an attempt that is over is still told changes nothing.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import WriteSession, now
from budapp.commons.errors import AppError
from budapp.commons.integrity import refuses
from budapp.commons.leases import taken
from budapp.commons.logging import get_logger
from budapp.events.notify import notify_users, show_event
from budapp.events.outbox import enqueue_call, enqueue_publish
from budapp.events.schemas import Event
from budapp.integrations.peers import Json, WorkAnswer
from budapp.workflow_ops import crud, step_list
from budapp.workflow_ops.definitions import Definition, Definitions, Run, Task
from budapp.workflow_ops.models import AttemptState, Workflow, WorkflowAttempt, WorkflowStatus, WorkflowStep

logger = get_logger(__name__)

ETA, RESULTS = "eta", "results"
_MINUTES = re.compile(r"[0-9]{1,6}")
_UNREADABLE = "The results are not valid"
_UNSTORABLE = "The results can't be stored"


@dataclass(slots=True)
class CurrentAttempt:
    """A workflow, locked, with its newest attempt."""

    session: WriteSession
    settings: Settings
    definition: Definition
    workflow: Workflow
    attempt: WorkflowAttempt
    steps: list[WorkflowStep]

    @property
    def task(self) -> Task:
        """What the attempt is at."""
        return self.definition.task(self.attempt.task)

    @property
    def run(self) -> Run:
        """What the definition is given."""
        return Run(self.workflow, crud.merged(step.data for step in self.steps))

    @property
    def live(self) -> bool:
        """Whether the attempt may still come to something."""
        return self.attempt.state in crud.LIVE and self.workflow.status == WorkflowStatus.IN_PROGRESS

    async def begin_work(self, answer: WorkAnswer, peer_workflow_id: str | None) -> None:
        """Take the service's answer, then the events that came before it."""
        events = self.task.events
        assert events
        if not answer.steps:
            answer = answer.model_copy(update={"steps": self._own_steps().steps})
        self.attempt.state = AttemptState.RUNNING
        self.attempt.peer_workflow_id = peer_workflow_id
        self._put_off(answer.eta)
        self._show(events.key, step_list.make_list(answer, str(self.attempt.correlation_id)))
        await self.definition.accepted(self.session, self.run)
        early, self.attempt.early_events = self.attempt.early_events, []
        for payload in early:
            await self.take(payload)

    async def adopt(self) -> None:
        """Go on without the service's answer, which was lost: its events say that it works."""
        await self.begin_work(self._own_steps(), None)

    @property
    def shows_list(self) -> bool:
        """Whether browsers see a list of steps already."""
        return self._list() is not None

    def show_pending(self) -> None:
        """Show the type's own list of steps while the service has not answered yet."""
        events = self.task.events
        assert events
        self._show(events.key, step_list.make_list(self._own_steps(), str(self.attempt.correlation_id)))

    async def take(self, payload: Json) -> None:
        """Take an event of this attempt."""
        if self.attempt.state == AttemptState.ASKING:
            self.attempt.early_events = [*self.attempt.early_events, payload]
            return
        content = payload.get("content") or {}
        failed = _has_failed(content.get("status"))
        await self._tick(payload)
        if payload["event"] == RESULTS and not failed:
            await self._take_results(content)
        elif failed and self.live:
            await self.fail(content.get("message") or content.get("title") or self.definition.refusal)

    async def finish(self, result: Any) -> None:
        """Make of the result what the workflow is for, and complete it; or fail it with the reason."""
        try:
            async with self.session.begin_nested():
                outcome = await self.task.results(self.session, self.run, result)
                await self.session.flush()
        except (AppError, ValidationError, DBAPIError) as error:
            if isinstance(error, DBAPIError) and not refuses(error):
                raise
            await self._reload()
            await self.refuse(_why_refused(error), result)
            return
        if outcome.here:
            self.put(self.attempt.step_number, outcome.here)
        for number, data in enumerate(outcome.steps, self.attempt.step_number + 1):
            self.put(number, data)
        self.attempt.state = AttemptState.COMPLETED
        if self.task.completes:
            self.workflow.status, self.workflow.reason = WorkflowStatus.COMPLETED, None
            await self._tell_topic(outcome.result)
        if outcome.notice is not None:
            await notify_users(
                self.session,
                aggregate=self._aggregate,
                subscriber_ids=[self.workflow.created_by],
                workflow_id=self.workflow.id,
                project_id=self._project_id,
                **{name: getattr(outcome.notice, name) for name in outcome.notice.__slots__},
            )

    async def refuse(self, reason: str, result: Any) -> None:
        """Fail because the results can't be used, and take back what the service did."""
        logger.warning("workflow_results_refused", workflow=str(self.workflow.id), reason=reason)
        await self.fail(reason)
        await self._undo(result)

    async def fail(self, reason: str, *, keep_open: bool = False) -> None:
        """End the attempt with the reason, and the workflow with it unless it stays open for another try."""
        self.attempt.state, self.attempt.reason = AttemptState.FAILED, reason
        self.workflow.reason = reason
        if keep_open:
            return
        self.workflow.status = WorkflowStatus.FAILED
        await self.definition.abandoned(self.session, self.run)
        await self._tell_topic({})
        if not self.definition.tells_failures:
            return
        await notify_users(
            self.session,
            aggregate=self._aggregate,
            subscriber_ids=[self.workflow.created_by],
            type=f"{self.workflow.workflow_type}_failed",
            title=self.workflow.title or self.definition.title,
            message=reason,
            target=("workflow", self.workflow.id),
            workflow_id=self.workflow.id,
            project_id=self._project_id,
            status="FAILED",
            icon=self.workflow.icon,
        )

    async def fail_visibly(self, reason: str) -> None:
        """Fail, and have the screen that waits told so by the step that did not end."""
        events, found = self.task.events, self._list()
        step = step_list.unfinished(found) if found and events else None
        if events and step:
            content = {"title": self.definition.title, "message": reason, "status": "FAILED"}
            payload = {"category": "internal", "type": events.type, "event": step, "source": "budapp"}
            await self._tick({**payload, "workflow_id": str(self.attempt.correlation_id), "content": content}, True)
        await self.fail(reason)

    async def give_up(self) -> None:
        """Fail because the service is silent."""
        await self.fail_visibly("The service that works on this has not been heard of for too long; try again")
        await self.cancel_at_peer()

    async def cancel(self) -> None:
        """End attempt and workflow because somebody wants it so."""
        self.attempt.state = AttemptState.CANCELLED
        await self.cancel_at_peer()

    async def cancel_at_peer(self) -> None:
        """Have the service end its work, where it can."""
        cancel, peer_workflow_id = self.task.cancel, self.attempt.peer_workflow_id
        if cancel is None or not peer_workflow_id:
            return
        # An aggregate of its own: it must not wait behind what people are told.
        await enqueue_call(self.session, cancel(peer_workflow_id), aggregate=f"workflow-attempt:{self.attempt.id}")

    def put(self, number: int, data: Json) -> None:
        """Store more in a step."""
        self.definition.check_declared(data)
        put_step(self.session, self.workflow, self.steps, number, data)

    def _own_steps(self) -> WorkAnswer:
        events = self.task.events
        assert events
        return WorkAnswer(workflow_id="", steps=events.own_steps(self.run.data))

    @property
    def _project_id(self) -> UUID | None:
        """The project in which it works; who has left that one is told nothing of how it ends."""
        named = self.run.data.get("project_id")
        return UUID(str(named)) if named else None

    async def _take_results(self, content: Json) -> None:
        result, problem = content.get("result"), content.get("result_error")
        if self.live and problem:
            await self.refuse(f"{_UNSTORABLE}: {problem}", result)
        elif self.live:
            await self.finish(result)
        elif self.attempt.state in (AttemptState.FAILED, AttemptState.CANCELLED):
            await self._undo(result)

    async def _undo(self, result: Any) -> None:
        if self.task.undo is not None:
            await self.task.undo(self.session, self.run, result)

    async def _tick(self, payload: Json, ours: bool = False) -> None:
        events, found = self.task.events, self._list()
        if events is None or found is None:
            return
        if payload["event"] == ETA:
            self._take_eta(events.key, found, payload)
            return
        changed = step_list.tick(found, payload["event"], payload)
        if changed is None:
            return
        self._show(events.key, changed)
        self._put_off(None)
        if ours or events.shown_as:
            await show_event(
                self.session,
                aggregate=self._aggregate,
                user_id=self.workflow.created_by,
                payload={**payload, "type": events.shown_as or events.type},
            )

    def _take_eta(self, key: str, found: Json, payload: Json) -> None:
        minutes = str((payload.get("content") or {}).get("message") or "")
        if self.live and _MINUTES.fullmatch(minutes):
            self._put_off(int(minutes))
            self._show(key, step_list.with_eta(found, int(minutes)))

    def _list(self) -> Json | None:
        events = self.task.events
        data = next((step.data for step in self.steps if step.step_number == self.attempt.step_number), {})
        found: Json | None = data.get(events.key) if events else None
        return found

    def _show(self, key: str, found: Json) -> None:
        self.put(self.attempt.step_number, {key: found})
        self.workflow.progress = {**found, "progress_type": key}

    def _put_off(self, minutes: int | None) -> None:
        floor, ceiling = self.settings.workflow_silence_minutes, self.settings.workflow_deadline_minutes
        allowed = timedelta(minutes=min(max(floor, 2 * (minutes or 0)), ceiling))
        deadline, known = now() + allowed, self.attempt.deadline_at
        if known is None or deadline - known > allowed / 20:  # not a write for each of many events
            self.attempt.deadline_at = deadline

    async def _tell_topic(self, result: Json) -> None:
        if self.workflow.callback_topic is None:
            return
        body = {
            "category": "internal",
            "type": "workflow_completed",
            "workflow_id": str(self.workflow.id),
            "workflow_type": self.workflow.workflow_type,
            "status": self.workflow.status.upper(),
            "result": result,
            "reason": self.workflow.reason,
        }
        await enqueue_publish(self.session, aggregate=self._aggregate, topic=self.workflow.callback_topic, payload=body)

    async def _reload(self) -> None:
        """Read again what a savepoint that was rolled back has let go of."""
        workflow = await crud.lock(self.session, self.workflow.id)
        attempt = await crud.last_attempt(self.session, self.workflow.id)
        assert workflow
        assert attempt
        self.workflow, self.attempt = workflow, attempt
        self.steps = await crud.steps_of(self.session, workflow.id)

    @property
    def _aggregate(self) -> str:
        return f"workflow:{self.workflow.id}"


async def load(
    session: WriteSession, settings: Settings, definitions: Definitions, workflow_id: UUID
) -> CurrentAttempt | None:
    """Return the workflow, locked, with its newest attempt; None where there is none."""
    workflow = await crud.lock(session, workflow_id)
    return await _with_attempt(session, settings, definitions, workflow) if workflow else None


async def load_for_event(
    session: WriteSession, settings: Settings, definitions: Definitions, correlation_id: UUID
) -> CurrentAttempt | None:
    """Return the workflow that an event is about, locked; None where there is none, or an earlier attempt is meant."""
    workflow = await crud.lock_of(session, correlation_id)
    found = await _with_attempt(session, settings, definitions, workflow) if workflow else None
    return found if found is not None and found.attempt.correlation_id == correlation_id else None


async def _with_attempt(
    session: WriteSession, settings: Settings, definitions: Definitions, workflow: Workflow
) -> CurrentAttempt | None:
    attempt, steps = await crud.last_attempt_with_steps(session, workflow.id)
    if attempt is None:
        return None
    return CurrentAttempt(session, settings, definitions.of(workflow.workflow_type), workflow, attempt, steps)


async def abandon(session: WriteSession, definitions: Definitions, workflow: Workflow) -> None:
    """Tell the type that the workflow ends without its results."""
    data = crud.merged(step.data for step in await crud.steps_of(session, workflow.id))
    await definitions.of(workflow.workflow_type).abandoned(session, Run(workflow, data))


def put_step(session: WriteSession, workflow: Workflow, steps: list[WorkflowStep], number: int, data: Json) -> None:
    """Store more in a step, which comes into being where it is not there; the workflow goes on to it."""
    step = next((step for step in steps if step.step_number == number), None)
    if step is None:
        step = WorkflowStep(tenant_id=workflow.tenant_id, workflow_id=workflow.id, step_number=number, data=data)
        session.add(step)
        steps.append(step)
        steps.sort(key=lambda step: step.step_number)
    else:
        step.data = {**step.data, **data}
    workflow.current_step = max(workflow.current_step, number)


def new_attempt(
    session: WriteSession,
    workflow: Workflow,
    task: Task,
    last: WorkflowAttempt | None,
    step_number: int,
    lease: timedelta,
) -> WorkflowAttempt:
    """Write down that the service is going to be asked; another try at a task keeps its list in the same step."""
    attempt = WorkflowAttempt(
        id=uuid7(),
        tenant_id=workflow.tenant_id,
        workflow_id=workflow.id,
        number=last.number + 1 if last else 1,
        task=task.name,
        state=AttemptState.ASKING,
        correlation_id=uuid7() if last else workflow.id,
        step_number=last.step_number if last and last.task == task.name else step_number,
        early_events=[],
        **taken(lease),
    )
    session.add(attempt)
    return attempt


def ends_work(event: Event) -> bool:
    """Tell whether the event is the last one that the service sends."""
    return event.payload.event == RESULTS or _has_failed(event.payload.content.status)


def payload_of(event: Event) -> Json:
    """Return the event's payload as it is stored."""
    found: Json = event.payload.model_dump(mode="json", exclude_none=True)
    return {**found, "event": event.payload.event or ""}


def _why_refused(error: Exception) -> str:
    if isinstance(error, AppError):
        return error.text
    return _UNREADABLE if isinstance(error, ValidationError) else _UNSTORABLE


def _has_failed(status: str | None) -> bool:
    return (status or "").upper() == "FAILED"
