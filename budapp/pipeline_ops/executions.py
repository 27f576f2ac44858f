"""The executions of pipelines: those that people start, and those that schedules, webhooks and events have started."""

from uuid import UUID

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, release
from budapp.commons.errors import BadRequest
from budapp.integrations import budpipeline as peer
from budapp.integrations.budpipeline import BudPipeline
from budapp.integrations.peers import Json
from budapp.pipeline_ops import crud
from budapp.pipeline_ops import schemas as view
from budapp.pipeline_ops.crud import PartCrud
from budapp.pipeline_ops.models import PartKind, PipelinePart
from budapp.pipeline_ops.services import get_pipeline, refuse_broken


async def get_execution(session: ReadSession, caller: Caller, execution_id: UUID) -> PipelinePart:
    """Return whose the execution is, or raise `NotFound` where it is out of the caller's reach."""
    return await PartCrud(session, caller, PartKind.EXECUTION).get_part(execution_id)


class Executions:
    """What is done with executions. Whatever budpipeline refuses, fails at or does not answer is raised as it is."""

    def __init__(self, budpipeline: BudPipeline, database: Database) -> None:
        self._peer = budpipeline
        self._database = database

    async def execute(
        self, session: WriteSession, caller: Caller, pipeline_id: UUID, data: view.PipelineExecute
    ) -> view.ExecutionStarted:
        """Start a pipeline for the caller, with whose rights its steps work; they are told how it goes.

        Raises:
            NotFound: no such pipeline, or out of reach.
        """
        await get_pipeline(session, caller, pipeline_id)
        await release(session)
        body = {"workflow_id": str(pipeline_id), "params": data.params, **_for(caller)}
        begun = await self._peer.ask(peer.StartedExecution, "POST", "executions", body=body)
        return await note_execution(session, caller, begun, pipeline_id)

    async def run(self, session: WriteSession, caller: Caller, data: view.PipelineRun) -> view.ExecutionStarted:
        """Start a definition once for the caller, without keeping it.

        Raises:
            UnprocessableContent: it can't be carried out.
        """
        refuse_broken(data.pipeline_definition)
        await release(session)
        body = {"pipeline_definition": data.pipeline_definition.sent(), "params": data.params, **_for(caller)}
        begun = await self._peer.ask(peer.StartedExecution, "POST", "executions/run", body=body)
        return await note_execution(session, caller, begun, None)

    async def page(self, session: ReadSession, caller: Caller, query: view.ExecutionQuery) -> view.ExecutionList:
        """Return a page of the executions of a pipeline, or else of those that the caller has started.

        Raises:
            NotFound: no such pipeline, or out of reach.
            BadRequest: executions that others have started are asked for, of no pipeline.
        """
        if query.workflow_id is not None:
            await get_pipeline(session, caller, query.workflow_id)
        await release(session)
        params = query.model_dump(mode="json", exclude_none=True)
        if query.workflow_id is None:
            if query.initiator not in {None, str(caller.user_id)}:
                raise BadRequest("Name the pipeline whose executions you want to see", param="workflow_id")
            params["initiator"] = str(caller.user_id)
        found = await self._peer.ask(peer.PipelineExecutions, "GET", "executions", params=params)
        shown = [one for one in found.executions if query.workflow_id or one.initiator == str(caller.user_id)]
        known = await self._known(session, caller, query.workflow_id, shown)
        executions = [view.ExecutionView.of(one, query.workflow_id or known.get(one.id)) for one in shown]
        return view.ExecutionList(executions=executions, pagination=found.pagination)

    async def get(self, session: ReadSession, caller: Caller, execution_id: UUID) -> view.ExecutionAnswer:
        """Return an execution with its steps, or raise `NotFound`."""
        part, found = await self._look(session, caller, execution_id)
        shown = view.ExecutionView.of(found.execution, part.pipeline_id, found.steps)
        return view.ExecutionAnswer.model_validate(shown)

    async def progress(self, session: ReadSession, caller: Caller, execution_id: UUID) -> view.ProgressAnswer:
        """Return how an execution goes, or raise `NotFound`."""
        part, found = await self._look(session, caller, execution_id)
        return view.ProgressAnswer(
            execution=view.ExecutionView.of(found.execution, part.pipeline_id, found.steps),
            steps=[view.StepView.of(step) for step in found.steps],
            recent_events=found.recent_events,
            aggregated_progress=found.aggregated_progress,
        )

    async def _look(
        self, session: ReadSession, caller: Caller, execution_id: UUID
    ) -> tuple[PipelinePart, peer.ExecutionProgress]:
        part = await get_execution(session, caller, execution_id)
        await release(session)
        return part, await self._peer.ask(peer.ExecutionProgress, "GET", f"executions/{execution_id}/progress")

    async def _known(
        self, session: ReadSession, caller: Caller, pipeline_id: UUID | None, shown: list[peer.PipelineExecution]
    ) -> dict[UUID, UUID | None]:
        """Return the pipelines of what is shown; what began past budapp is noted, so that it can be looked at."""
        parts = PartCrud(session, caller, PartKind.EXECUTION)
        known = await parts.pipelines_of([one.id for one in shown])
        await release(session)
        new = [one for one in shown if one.id not in known]
        if new:
            async with self._database.write() as writing:
                if pipeline_id is not None:
                    found = [(one.id, pipeline_id, _name(one)) for one in new]
                    await crud.note_parts(writing, PartKind.EXECUTION, found)
                else:
                    for one in new:
                        await crud.note_part(writing, caller, PartKind.EXECUTION, one.id, None, _name(one))
        return known


async def note_execution(
    session: WriteSession,
    caller: Caller,
    begun: peer.StartedExecution | peer.TriggeredExecution,
    pipeline_id: UUID | None,
) -> view.ExecutionStarted:
    """Write down that the caller has started this, and return what they are told."""
    told = begun.model_dump(exclude={"workflow_id"})
    name = str(told.get("workflow_name") or "")
    await crud.note_part(session, caller, PartKind.EXECUTION, begun.execution_id, pipeline_id, name)
    details = {"table": "pipeline_part", "pipeline_id": str(pipeline_id) if pipeline_id else None}
    about: Json = {"resource_id": begun.execution_id, "resource_name": name or None}
    record(session, Action.WORKFLOW_STARTED, ResourceType.JOB, details=details, **about)
    return view.ExecutionStarted(workflow_id=pipeline_id, **told)


def _for(caller: Caller) -> Json:
    user_id = str(caller.user_id)
    return {"user_id": user_id, "initiator": user_id, "subscriber_ids": user_id}


def _name(execution: peer.PipelineExecution) -> str:
    runs = execution.pipeline_definition
    return runs.workflow_name or runs.name or ""
