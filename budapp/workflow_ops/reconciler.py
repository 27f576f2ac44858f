"""Sees to it that no workflow waits for ever, whatever crashes or stays silent; run by jobs."""

from datetime import timedelta
from uuid import UUID

from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.errors import AppError
from budapp.commons.logging import get_logger
from budapp.workflow_ops import attempts, crud
from budapp.workflow_ops.definitions import Definitions
from budapp.workflow_ops.models import AttemptState, WorkflowStatus
from budapp.workflow_ops.peer_calls import PeerCalls, PendingCall

logger = get_logger(__name__)

_AT_ONCE = 100
_CUT_OFF = "This was interrupted while another service was asked to begin; try again"


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
            asking = await crud.stuck_asking(session, now(), _AT_ONCE)
            silent = await crud.overdue(session, now(), _AT_ONCE)
        for workflow_id in asking:
            await self._go_on(workflow_id)
        for workflow_id in silent:
            await self._give_up(workflow_id)

    async def expire_drafts(self) -> None:
        """Cancel what nobody has touched for long."""
        before = now() - timedelta(days=self._settings.workflow_draft_days)
        async with self._database.read() as session:
            drafts = await crud.stale_drafts(session, before, _AT_ONCE)
        for workflow_id in drafts:
            async with self._database.write() as session:
                workflow = await crud.lock(session, workflow_id)
                attempt = await crud.last_attempt(session, workflow_id)
                live = attempt is not None and attempt.state in crud.LIVE
                if workflow and workflow.modified_at < before and workflow.status == "in_progress" and not live:
                    workflow.status = WorkflowStatus.CANCELLED
                    workflow.reason = "Nobody went on with this for a long time"

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
            if found is None or found.attempt.state != AttemptState.ASKING or found.attempt.lease_expires_at > now():
                return None
            if found.task.events is None:
                found.attempt.lease_expires_at = now() + timedelta(seconds=2 * self._settings.workflow_ask_seconds + 10)
                return await self._calls.prepare(session, found.task, found.run, found.attempt)
            if found.attempt.early_events:
                await found.adopt()
            else:
                await found.fail(_CUT_OFF)
        return None

    async def _give_up(self, workflow_id: UUID) -> None:
        async with self._database.write() as session:
            found = await attempts.load(session, self._settings, self._definitions, workflow_id)
            deadline = found.attempt.deadline_at if found else None
            if found and found.attempt.state == AttemptState.RUNNING and deadline and deadline <= now():
                await found.give_up()
