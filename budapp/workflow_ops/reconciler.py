"""Sees to it that no workflow waits for ever, whatever crashes or stays silent; run by jobs."""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.errors import AppError
from budapp.commons.isolation import each_isolated
from budapp.commons.logging import get_logger
from budapp.workflow_ops import attempts, crud
from budapp.workflow_ops.definitions import Definitions
from budapp.workflow_ops.models import AttemptState, WorkflowStatus
from budapp.workflow_ops.peer_calls import PeerCalls, PendingCall

logger = get_logger(__name__)

_IN_ONE_RUN = 100
_AT_ONCE = 4
_RECONCILE, _EXPIRE = "reconcile_workflows", "expire_workflow_drafts"
_CUT_OFF = "Interrupted while starting a task at another service; try again"


class Reconciler:
    """Finishes, or fails with a reason, what was left behind."""

    def __init__(self, database: Database, settings: Settings, definitions: Definitions, calls: PeerCalls) -> None:
        self._database = database
        self._settings = settings
        self._definitions = definitions
        self._calls = calls

    async def reconcile(self) -> None:
        """Go on where a process was cut off while it asked, and give up on services that are silent."""
        async with self._database.read() as session:
            asking = await crud.stuck_asking(session, _RECONCILE, _IN_ONE_RUN)
            silent = await crud.overdue(session, _RECONCILE, now(), _IN_ONE_RUN)
        seconds = self._calls.lease_time.total_seconds()
        await each_isolated(self._database, _RECONCILE, asking, self._go_on, at_once=_AT_ONCE, seconds=seconds)
        await each_isolated(self._database, _RECONCILE, silent, self._give_up, at_once=_AT_ONCE)

    async def expire_drafts(self) -> None:
        """Cancel what nobody has touched for long."""
        before = now() - timedelta(days=self._settings.workflow_draft_days)
        async with self._database.read() as session:
            drafts = await crud.stale_drafts(session, _EXPIRE, before, _IN_ONE_RUN)
        await each_isolated(self._database, _EXPIRE, drafts, partial(self._expire, before=before), at_once=_AT_ONCE)

    async def _expire(self, workflow_id: UUID, before: datetime) -> None:
        async with self._database.write() as session:
            workflow = await crud.lock(session, workflow_id)
            attempt = await crud.last_attempt(session, workflow_id)
            live = attempt is not None and attempt.state in crud.LIVE
            if workflow and workflow.modified_at < before and workflow.status == "in_progress" and not live:
                workflow.status = WorkflowStatus.CANCELLED
                workflow.reason = "Nobody went on with this for a long time"
                await attempts.abandon(session, self._definitions, workflow)

    async def _go_on(self, workflow_id: UUID) -> None:
        pending = await self._pending_call(workflow_id)
        if pending is None:
            return
        try:
            await self._calls.send(pending)
        except AppError as error:
            logger.warning("workflow_not_resumed", workflow=str(workflow_id), error=repr(error))

    async def _pending_call(self, workflow_id: UUID) -> PendingCall | None:
        """Return what to ask again; only what does no harm twice is.

        A service that works by itself may have begun or not: its events tell. It is never asked twice for one attempt.
        """
        async with self._database.write() as session:
            found = await attempts.load(session, self._settings, self._definitions, workflow_id)
            if found is None or found.attempt.state != AttemptState.ASKING:
                return None
            if not await crud.take_over(session, found.attempt, self._calls.lease_time):
                return None
            if found.task.events is None:
                return await self._calls.prepare(session, found.task, found.run, found.attempt)
            if found.attempt.early_events:
                await found.adopt()
            else:
                await found.fail_visibly(_CUT_OFF)
        return None

    async def _give_up(self, workflow_id: UUID) -> None:
        async with self._database.write() as session:
            found = await attempts.load(session, self._settings, self._definitions, workflow_id)
            deadline = found.attempt.deadline_at if found else None
            if found and found.attempt.state == AttemptState.RUNNING and deadline and deadline <= now():
                await found.give_up()
