"""Calls the service that does a workflow's task: the attempt is committed before, its answer applied after.

No transaction is open while the service is asked. Wherever the process is cut off, what was written down lets
`Reconciler` go on from there.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from budapp.commons.config import Settings
from budapp.commons.database import Database, WriteSession
from budapp.commons.errors import AppError, BadRequest, PeerFailed, Unavailable
from budapp.commons.leases import Lease, lease_of
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import DaprClient, PeerRefused
from budapp.integrations.peers import Addressee, Json, PeerCall, WorkAnswer
from budapp.workflow_ops import attempts, crud
from budapp.workflow_ops.definitions import Definitions, Run, Task
from budapp.workflow_ops.models import AttemptState, Workflow, WorkflowAttempt, WorkflowStep

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call whose attempt is written down."""

    workflow_id: UUID
    lease: Lease
    call: PeerCall | None
    by_events: bool
    optional: bool


class PeerCalls:
    """The calls of one process."""

    def __init__(self, database: Database, dapr: DaprClient, settings: Settings, definitions: Definitions) -> None:
        self._database = database
        self._dapr = dapr
        self._settings = settings
        self._definitions = definitions
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def lease_time(self) -> timedelta:
        """How long a process may take to ask, and to store the answer."""
        return timedelta(seconds=2 * self._settings.workflow_ask_seconds + 10)

    async def begin(
        self, session: WriteSession, task: Task, run: Run, steps: list[WorkflowStep], at_step: int
    ) -> PendingCall | None:
        """Write down that the task is asked for, unless something is already; the workflow is locked.

        Raises:
            BadRequest: something that the task needs has not been said.
        """
        missing = task.missing(run.data)
        if missing:
            raise BadRequest(f"Missing required data: {', '.join(missing)}", param=missing[0])
        last = await crud.last_attempt(session, run.workflow.id)
        if last is not None and last.state in crud.LIVE:
            return None
        events = task.events
        list_step = at_step + (0 if events and events.in_same_step else 1 if events else 0)
        attempt = attempts.new_attempt(session, run.workflow, task, last, list_step, self.lease_time)
        run.workflow.reason = run.workflow.progress = None
        if last is not None and last.task == task.name and events:
            attempts.put_step(session, run.workflow, steps, attempt.step_number, {events.key: None})
        return await self.prepare(session, task, run, attempt)

    async def prepare(self, session: WriteSession, task: Task, run: Run, attempt: WorkflowAttempt) -> PendingCall:
        """Return the call for the attempt."""
        call = await task.request(session, run)
        events = task.events
        if call is not None and events is not None:
            call = _addressed(call, run.workflow, attempt, self._settings.app_topic)
        return PendingCall(run.workflow.id, lease_of(attempt), call, events is not None, task.optional)

    async def send(self, pending: PendingCall) -> None:
        """Make the call, and apply the answer.

        Where a service that is going to report by events does not answer for `workflow_answer_seconds`, the workflow
        shows the type's own list of steps, and the call goes on in the background.

        Raises:
            BadRequest: the service refused.
            PeerFailed: the service failed, or its answer can't be read.
            Unavailable: it can't be reached, or not in time.
        """
        if not pending.by_events:
            await self._carry_out(pending)
            return
        calling = asyncio.create_task(self._carry_out(pending))
        self._under_way.add(calling)
        calling.add_done_callback(self._finished)
        done, _ = await asyncio.wait({calling}, timeout=self._settings.workflow_answer_seconds)
        if done:
            calling.result()
        else:
            await self._show_pending(pending)

    async def stop(self) -> None:
        """Give the calls in the background a moment more; what is cut off then, the reconciler takes up."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._settings.workflow_answer_seconds)
        for calling in self._under_way:
            calling.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _finished(self, calling: asyncio.Task[None]) -> None:
        self._under_way.discard(calling)
        if not calling.cancelled() and (error := calling.exception()) is not None:
            logger.warning("workflow_call_failed", error=repr(error))

    async def _show_pending(self, pending: PendingCall) -> None:
        async with self._database.write() as session:
            found = await self._still(session, pending)
            if found is not None and found.attempt.state == AttemptState.ASKING:
                found.show_pending()

    async def _carry_out(self, pending: PendingCall) -> None:
        try:
            answer = await self._answer(pending)
        except AppError as error:
            await self._failed(pending, error)
            return
        async with self._database.write() as session:
            found = await self._still(session, pending)
            if found is None:
                return
            if found.attempt.state != AttemptState.ASKING:
                found.attempt.peer_workflow_id = getattr(answer, "workflow_id", None)
                await found.cancel_at_peer()
            elif isinstance(answer, WorkAnswer):
                await found.begin_work(answer, answer.workflow_id)
            else:
                await found.finish(answer)

    async def _answer(self, pending: PendingCall) -> Any:
        call = pending.call
        if call is None:
            return None
        try:
            settings = self._settings
            seconds = settings.workflow_ask_seconds if pending.by_events else settings.workflow_answer_seconds
            answer = await self._dapr.invoke(call.app_id, call.method, call.path, timeout=seconds, **_body(call))
            return call.answer.model_validate(answer) if pending.by_events else answer
        except (PeerFailed, Unavailable):
            if pending.optional:
                return None
            raise
        except ValidationError as error:
            logger.warning("workflow_answer_unreadable", peer=call.app_id, error=str(error))
            raise PeerFailed from error

    async def _failed(self, pending: PendingCall, error: AppError) -> None:
        """End the attempt, unless another process has taken it over, or events show that the service works on it."""
        async with self._database.write() as session:
            found = await self._still(session, pending)
            if found is None or found.attempt.state != AttemptState.ASKING or lease_of(found.attempt) != pending.lease:
                return
            if found.attempt.early_events and isinstance(error, Unavailable):
                await found.adopt()
                return
            reason = error.text if isinstance(error, Unavailable) else found.definition.refusal
            if isinstance(error, PeerRefused) and error.text != PeerRefused.message:
                reason = error.text
            if found.shows_list:
                await found.fail_visibly(reason)
            else:
                await found.fail(reason, keep_open=found.definition.keeps_draft)
        if isinstance(error, PeerRefused):
            raise BadRequest(reason) from error
        raise error

    async def _still(self, session: WriteSession, pending: PendingCall) -> attempts.CurrentAttempt | None:
        found = await attempts.load(session, self._settings, self._definitions, pending.workflow_id)
        return found if found is not None and found.attempt.id == pending.lease.row_id else None


def _addressed(call: PeerCall, workflow: Workflow, attempt: WorkflowAttempt, topic: str) -> PeerCall:
    """Add whom the service tells how it goes, and where."""
    whom: Json = {
        "name": "bud-internal",
        "subscriber_ids": str(workflow.created_by),
        "workflow_id": str(attempt.correlation_id),
    }
    topics = [topic, workflow.callback_topic] if workflow.callback_topic else topic
    if call.address is not None:
        told = Addressee(whom["workflow_id"], whom["subscriber_ids"], topics if isinstance(topics, list) else [topics])
        return replace(call, json={**(call.json or {}), **call.address(told)})
    meta: Json = {"notification_metadata": whom, "source_topic": topics}
    return replace(call, json={**(call.json or {}), **meta})


def _body(call: PeerCall) -> Json:
    """Return the arguments that carry what the call says."""
    if call.part is None:
        return {"json": call.json}
    return {"data": {call.part: json.dumps(call.json)}, "files": call.files}
