"""The engine: what can be done with workflows of any type. A domain posts its steps with `Workflows.post`."""

from collections.abc import Container, Sequence
from typing import Annotated, Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession, WriteSession
from budapp.commons.domain import provided
from budapp.commons.errors import AppError, BadRequest, Forbidden, NotFound
from budapp.commons.idempotency import name_resource, named_resource
from budapp.commons.logging import get_logger
from budapp.events.dispatch import Handler
from budapp.events.schemas import Event
from budapp.integrations.dapr import DaprClient
from budapp.workflow_ops import attempts, crud
from budapp.workflow_ops.crud import WorkflowCrud
from budapp.workflow_ops.definitions import Definition, Definitions, Rehearsal, Run
from budapp.workflow_ops.models import AttemptState, Visibility, Workflow, WorkflowStatus, WorkflowStep
from budapp.workflow_ops.peer_calls import PeerCalls, PendingCall
from budapp.workflow_ops.reconciler import Reconciler
from budapp.workflow_ops.schemas import WorkflowPost, WorkflowQuery, WorkflowRetrieved
from budapp.workflow_ops.step_views import View, compose

logger = get_logger(__name__)


class Workflows:
    """The workflows of all types, for one process.

    Args:
        database: where they are.
        dapr: what calls the services.
        settings: of the process.
        definitions: the types.
        views: what browsers read besides what the types show.

    Raises:
        ValueError: a type keeps what it does not declare, or two views clash.
    """

    def __init__(
        self,
        database: Database,
        dapr: DaprClient,
        settings: Settings,
        definitions: Sequence[Definition],
        views: Sequence[View] = (),
    ) -> None:
        self._database = database
        self._settings = settings
        self._definitions = Definitions(definitions)
        self.steps_view = compose([*self._definitions.views(), *views])
        self._calls = PeerCalls(database, dapr, settings, self._definitions)
        self.reconciler = Reconciler(database, settings, self._definitions, self._calls)

    async def stop(self) -> None:
        """End the calls of services that go on in the background."""
        await self._calls.stop()

    def event_handlers(self) -> dict[str, Handler]:
        """Return the handler of the events by which services tell how workflows go, for each type."""
        return dict.fromkeys(sorted(self._definitions.event_types()), Handler(self.take_event, self.give_up_event))

    async def list_open(self, session: ReadSession, caller: Caller, query: WorkflowQuery) -> Page:
        """Return a page of the caller's workflows that go on, the newest first."""
        return await WorkflowCrud(session, caller).page_of_open(query)

    async def get(self, session: ReadSession, caller: Caller, workflow_id: UUID) -> WorkflowRetrieved:
        """Return the workflow with all that its steps say, and the objects they name.

        Raises:
            NotFound: no such workflow, or one of somebody else's.
        """
        workflow, data = await WorkflowCrud(session, caller).with_data(workflow_id)
        definition = self._definitions.of(workflow.workflow_type)
        named = data | await definition.name_objects(session, workflow.tenant_id, data)
        return WorkflowRetrieved.of(
            workflow,
            id=workflow.id,
            workflow_steps=self.steps_view.model_validate(named),
            experiment_id=data.get("experiment_id"),
            client_metadata=data.get("client_metadata"),
        )

    async def post(self, caller: Caller, type: str, body: WorkflowPost) -> WorkflowRetrieved:
        """Store a step, trigger the task where asked, and return what `get` returns.

        The task is asked for once, however often it is triggered, until that attempt has failed. A post that comes
        again with its idempotency key goes on with the workflow that it opened before.

        Raises:
            NotFound: no such workflow of this type, or one of somebody else's.
            BadRequest: it has ended, its type does not allow this, or the service refused.
            PeerFailed, Unavailable: the service failed or can't be reached; posting again tries again.
        """
        definition = self._definitions.of(type)
        if body.callback_topic is not None and body.callback_topic not in self._settings.workflow_callback_topics:
            raise BadRequest("Outcomes can't be published to this topic", param="callback_topic")
        earlier = named_resource()
        if earlier is not None:
            if not await self._may_be_tried_again(earlier, WorkflowStatus.IN_PROGRESS):
                return await self._fresh(caller, earlier)
            body = body.model_copy(update={"workflow_id": earlier})
        async with self._database.write() as session:
            workflow = await self._opened(session, caller, definition, body)
            await name_resource(session, workflow.id)
            pending = await self._store(session, caller, definition, workflow, body)
        if pending is not None:
            await self._calls.send(pending)
        return await self._fresh(caller, workflow.id)

    async def rehearse(self, caller: Caller, type: str, body: WorkflowPost) -> Rehearsal:
        """Return what posting this step would have asked of which service, and what it lacks; nothing is changed.

        Raises:
            AppError: whatever `post` would have raised before it asks somebody.
        """
        definition = self._definitions.of(type)
        async with self._database.write() as session:
            workflow = await self._opened(session, caller, definition, body)
            steps = await crud.steps_of(session, workflow.id)
            posted = body.fields()
            others = (step.data for step in steps if step.step_number != body.step_number)
            run = Run(workflow, {**crud.merged(others), **posted}, posted, body.trigger_workflow)
            await definition.check(session, caller, run)
            task = definition.begun_by(run)
            missing = task.missing(run.data) if task is not None else []
            call = await task.request(session, run) if task is not None and not missing else None
            await session.rollback()
        return Rehearsal(task.name if task is not None else None, missing, call)

    async def start(
        self, session: WriteSession, type: str, data: dict[str, Any], *, tenant_id: UUID, user_id: UUID
    ) -> PendingCall:
        """Begin a workflow of one step that people don't see, for a user, in the caller's unit of work.

        Once that is committed, give what is returned to `carry_out`. What is lost before is failed by the reconciler.
        """
        definition = self._definitions.of(type)
        workflow = _new_workflow(tenant_id, user_id, definition, total_steps=1)
        workflow.visibility = Visibility.INTERNAL
        session.add(workflow)
        await session.flush()
        steps: list[WorkflowStep] = []
        attempts.put_step(session, workflow, steps, 1, data)
        run = Run(workflow, data, data, triggered=True)
        task = definition.begun_by(run)
        assert task is not None
        pending = await self._calls.begin(session, task, run, steps, 1)
        assert pending is not None
        return pending

    async def carry_out(self, pending: PendingCall) -> None:
        """Ask what `start` has written down; a failure is the workflow's, which has the reason and can be retried."""
        try:
            await self._calls.send(pending)
        except AppError as error:
            logger.warning("workflow_not_started", workflow=str(pending.workflow_id), error=repr(error))

    async def retry(self, caller: Caller, workflow_id: UUID) -> WorkflowRetrieved:
        """Ask once more for the task of a workflow that failed.

        Raises:
            NotFound: no such workflow, or one of somebody else's.
            Forbidden: the caller may not trigger workflows of its type.
            BadRequest: there is nothing that failed, or the service refused again.
            PeerFailed, Unavailable: see `post`.
        """
        retryable = (WorkflowStatus.IN_PROGRESS, WorkflowStatus.FAILED)
        if named_resource() is not None and not await self._may_be_tried_again(workflow_id, *retryable):
            return await self._fresh(caller, workflow_id)
        async with self._database.write() as session:
            await WorkflowCrud(session, caller).get(workflow_id, for_update=True)
            await name_resource(session, workflow_id)
            found = await attempts.load(session, self._settings, self._definitions, workflow_id)
            if found is None or found.workflow.status not in retryable or found.attempt.state != AttemptState.FAILED:
                raise BadRequest("Only a failed workflow can be retried")
            if not (found.definition.in_project or caller.may(found.definition.scope)):
                raise Forbidden(f"Permission required: {found.definition.scope}")
            found.workflow.status = WorkflowStatus.IN_PROGRESS
            run = found.run
            run.triggered = True
            await found.definition.check(session, caller, run)
            # What failed half-way may have done its part meanwhile: then what comes after it is next.
            task = found.task if found.task.applies(run.data) else found.definition.begun_by(run) or found.task
            pending = await self._calls.begin(session, task, run, found.steps, found.attempt.step_number)
        if pending is not None:
            await self._calls.send(pending)
        return await self._fresh(caller, workflow_id)

    async def complete(self, session: WriteSession, caller: Caller, workflow_id: UUID) -> Workflow:
        """Mark the workflow as completed, for those that have nothing to wait for.

        Raises:
            NotFound: no such workflow, or one of somebody else's.
            BadRequest: it has failed or was cancelled, or a service still works on it.
        """
        workflow = await WorkflowCrud(session, caller).get(workflow_id, for_update=True)
        if workflow.status in (WorkflowStatus.FAILED, WorkflowStatus.CANCELLED):
            raise BadRequest(f"Workflow is {workflow.status}")
        attempt = await crud.last_attempt(session, workflow_id)
        if attempt is not None and attempt.state in crud.LIVE:
            raise BadRequest("The workflow is still running")
        if workflow.status == WorkflowStatus.IN_PROGRESS:
            await attempts.abandon(session, self._definitions, workflow)
        workflow.status = WorkflowStatus.COMPLETED
        return workflow

    async def cancel(
        self, session: WriteSession, caller: Caller, workflow_id: UUID, *, only: Container[str] | None = None
    ) -> str:
        """End the workflow, at the service too where it can; return what to tell the caller.

        Args:
            session: the unit of work.
            caller: who wants it so.
            workflow_id: the workflow.
            only: the types that it may have; None for any.

        Raises:
            NotFound: no such workflow, one of another type, or of somebody else's.
            BadRequest: it has ended.
        """
        workflow = await WorkflowCrud(session, caller).get(workflow_id, for_update=True)
        if only is not None and workflow.workflow_type not in only:
            raise NotFound("Workflow not found")
        if workflow.status != WorkflowStatus.IN_PROGRESS:
            raise BadRequest("The workflow is not in progress")
        found = await attempts.load(session, self._settings, self._definitions, workflow_id)
        if found is not None and found.live:
            await found.cancel()
        workflow.status = WorkflowStatus.CANCELLED
        await attempts.abandon(session, self._definitions, workflow)
        return self._definitions.of(workflow.workflow_type).cancelled

    async def take_event(self, session: WriteSession, event: Event) -> None:
        """Let the workflow that the event is about take it; what is about none, or an earlier attempt, is left."""
        found = await self._about(session, event)
        if found is not None:
            await found.take(attempts.payload_of(event))

    async def give_up_event(self, session: WriteSession, event: Event) -> None:
        """Fail the workflow that waits for an event that can't be handled, where it has nothing else to wait for."""
        found = await self._about(session, event)
        if found is not None and found.live and attempts.ends_work(event):
            await found.fail("What the service has reported can't be handled")

    async def _about(self, session: WriteSession, event: Event) -> attempts.CurrentAttempt | None:
        correlation_id = _uuid(event.payload.workflow_id)
        if correlation_id is None:
            return None
        found = await attempts.load_for_event(session, self._settings, self._definitions, correlation_id)
        events = found.task.events if found is not None else None
        return found if events is not None and event.payload.type in events.types() else None

    async def _opened(
        self, session: WriteSession, caller: Caller, definition: Definition, body: WorkflowPost
    ) -> Workflow:
        if body.workflow_id is None:
            workflow = _new_workflow(caller.tenant_id, caller.user_id, definition, body.workflow_total_steps or 1)
            workflow.callback_topic = body.callback_topic
            if definition.internal:
                workflow.visibility = Visibility.INTERNAL
            session.add(workflow)
            await session.flush()
            return workflow
        workflow = await WorkflowCrud(session, caller).get(body.workflow_id, for_update=True)
        if workflow.workflow_type != definition.type or workflow.created_by != caller.user_id:
            raise NotFound("Workflow not found")
        if workflow.status != WorkflowStatus.IN_PROGRESS:
            raise BadRequest("The workflow is not in progress", param="workflow_id")
        workflow.callback_topic = body.callback_topic or workflow.callback_topic
        return workflow

    async def _store(
        self, session: WriteSession, caller: Caller, definition: Definition, workflow: Workflow, body: WorkflowPost
    ) -> PendingCall | None:
        """Store the step, and write down that the task is asked for where it is triggered; a task under way stays."""
        steps = await crud.steps_of(session, workflow.id)
        attempt = await crud.last_attempt(session, workflow.id)
        posted = body.fields()
        data = {**crud.merged(step.data for step in steps), **posted}
        run = Run(workflow, data, posted, body.trigger_workflow)
        if attempt is not None and attempt.state in crud.LIVE:
            task = definition.begun_by(run)
            if task is not None and task.name == attempt.task:
                return None
            raise BadRequest("The workflow is already running", param="workflow_id")
        await definition.check(session, caller, run)
        task = definition.begun_by(run)
        definition.check_declared(run.posted)
        _replace(session, workflow, steps, body.step_number, run.posted)
        if task is None:
            return None
        run.data = crud.merged(step.data for step in steps)
        return await self._calls.begin(session, task, run, steps, body.step_number)

    async def _may_be_tried_again(self, workflow_id: UUID, *statuses: WorkflowStatus) -> bool:
        """Tell whether nothing came of a request that was carried out before, and the workflow has such a status."""
        async with self._database.read() as session:
            workflow = await crud.workflow_of(session, workflow_id)
            attempt = await crud.last_attempt(session, workflow_id)
        return attempt is not None and attempt.state == AttemptState.FAILED and workflow.status in statuses

    async def _fresh(self, caller: Caller, workflow_id: UUID) -> WorkflowRetrieved:
        async with self._database.read() as session:
            return await self.get(session, caller, workflow_id)


async def find_run(session: ReadSession, caller: Caller, workflow_id: UUID) -> Run:
    """Return the workflow, as `find_workflow` does, with all that its steps say; raises `NotFound` likewise."""
    return Run(*await WorkflowCrud(session, caller).with_data(workflow_id))


async def is_running(session: ReadSession, workflow_id: UUID) -> bool:
    """Tell whether a service works on the workflow, or is being asked to."""
    attempt = await crud.last_attempt(session, workflow_id)
    return attempt is not None and attempt.state in crud.LIVE


async def find_workflow(session: ReadSession, caller: Caller, workflow_id: UUID) -> Workflow:
    """Return the workflow if it is the caller's, or one of the tenant for those who manage users; else `NotFound`."""
    return await WorkflowCrud(session, caller).get(workflow_id)


def _new_workflow(tenant_id: UUID, user_id: UUID, definition: Definition, total_steps: int) -> Workflow:
    return Workflow(
        tenant_id=tenant_id,
        created_by=user_id,
        workflow_type=definition.type,
        status=WorkflowStatus.IN_PROGRESS,
        title=definition.title,
        tag=definition.tag,
        current_step=0,
        total_steps=total_steps,
    )


def _replace(
    session: WriteSession, workflow: Workflow, steps: list[WorkflowStep], number: int, data: dict[str, Any]
) -> None:
    step = next((step for step in steps if step.step_number == number), None)
    if step is not None:
        step.data = {}
    attempts.put_step(session, workflow, steps, number, data)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


WorkflowsDep = Annotated[Workflows, provided(Workflows)]
