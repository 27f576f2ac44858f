"""Pipelines: budpipeline keeps them and does their work; here is decided whose they are and what may be done."""

import asyncio
from functools import partial
from uuid import UUID

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession, WriteSession, after_rollback, release
from budapp.commons.errors import NotFound, UnprocessableContent
from budapp.integrations import budpipeline as peer
from budapp.integrations.budpipeline import BudPipeline
from budapp.integrations.peers import Json
from budapp.pipeline_ops import crud
from budapp.pipeline_ops import schemas as view
from budapp.pipeline_ops.crud import PipelineCrud
from budapp.pipeline_ops.models import Pipeline


async def get_pipeline(session: ReadSession, caller: Caller, pipeline_id: UUID) -> Pipeline:
    """Return whose the pipeline is, or raise `NotFound` where it is out of the caller's reach."""
    return await PipelineCrud(session, caller).get(pipeline_id)


def refuse_broken(dag: view.DagPost) -> None:
    """Raise `UnprocessableContent` where the DAG can't be carried out; all reasons are in `errors`."""
    problems = dag.problems()
    if problems:
        errors = [{"loc": ["body", "dag"], "msg": problem, "type": "value_error"} for problem in problems]
        raise UnprocessableContent(f"The pipeline can't be carried out: {problems[0]}", param="dag", errors=errors)


class Pipelines:
    """What is done with pipelines. Whatever budpipeline refuses, fails at or does not answer is raised as it is."""

    def __init__(self, budpipeline: BudPipeline, database: Database) -> None:
        self._peer = budpipeline
        self._database = database

    async def page(self, session: ReadSession, caller: Caller, query: view.ListQuery) -> view.PipelineList:
        """Return the caller's pipelines, and the platform's own where asked.

        Those that budpipeline knows as the caller's, but that were made past budapp, are theirs from now on.
        """
        owners = await PipelineCrud(session, caller).owners()
        await release(session)
        found = await self._peer.ask(
            peer.Pipelines, "GET", "pipelines", params=query.model_dump(), owner=caller.user_id
        )
        mine = [one for one in found.items if not one.system_owned and one.user_id == str(caller.user_id)]
        new = {one.id: one.name for one in mine if one.id not in owners}
        if new:
            async with self._database.write() as writing:
                await crud.note_pipelines(writing, caller, new)
        of_platform = [one for one in found.items if one.system_owned and query.include_system]
        return view.PipelineList(workflows=[*mine, *of_platform])

    async def get(self, session: ReadSession, caller: Caller, pipeline_id: UUID) -> view.PipelineAnswer:
        """Return a pipeline with its DAG, or raise `NotFound`."""
        pipeline = await get_pipeline(session, caller, pipeline_id)
        await release(session)
        return view.PipelineAnswer.model_validate(await self._look(pipeline))

    async def validate(self, data: view.DagValidate) -> view.DagValidated:
        """Return what is wrong with a DAG: what can be seen here, or else what budpipeline finds."""
        problems, steps = data.dag.problems(), len(data.dag.steps)
        if problems:
            known = {"errors": problems, "step_count": steps, "has_cycles": data.dag.has_cycle}
            return view.DagValidated(valid=False, warnings=[], message="The pipeline can't be carried out", **known)
        found = await self._peer.ask(peer.Verdict, "POST", "validate", body={"dag": data.dag.sent()})
        message = "The pipeline is valid" if found.valid else "The pipeline can't be carried out"
        return view.DagValidated(message=message, **found.model_dump())

    async def create(self, session: WriteSession, caller: Caller, data: view.PipelineCreate) -> view.PipelineAnswer:
        """Have budpipeline keep a pipeline of the caller's.

        Raises:
            UnprocessableContent: it can't be carried out.
        """
        refuse_broken(data.dag)
        await release(session)
        body = _body(data.dag.sent(), data.name or data.dag.name, data.icon, caller.user_id)
        made = await self._peer.ask(peer.Pipeline, "POST", "pipelines", body=body)
        after_rollback(session, partial(self._peer.tell, "DELETE", f"pipelines/{made.id}", caller.user_id))
        await crud.note_pipelines(session, caller, {made.id: made.name})
        _record(session, Action.CREATE, made.id, made.name, {"step_count": made.step_count})
        return view.PipelineAnswer.model_validate({**made.model_dump(), "message": "Pipeline created"})

    async def update(
        self, session: WriteSession, caller: Caller, pipeline_id: UUID, data: view.PipelineUpdate
    ) -> view.PipelineAnswer:
        """Change what was sent. budpipeline wants the DAG each time: the one that it has goes back where none is sent.

        Raises:
            NotFound: no such pipeline, or out of reach.
            UnprocessableContent: the DAG can't be carried out.
        """
        pipeline = await get_pipeline(session, caller, pipeline_id)
        if data.dag is not None:
            refuse_broken(data.dag)
        await release(session)
        before = await self._look(pipeline)
        dag = (
            data.dag.sent()
            if data.dag
            else before.dag.model_dump(mode="json", exclude_unset=True)
            if before.dag
            else {}
        )
        body = _body(dag, data.name or before.name, data.icon or before.icon, pipeline.created_by)
        path = f"pipelines/{pipeline_id}"
        changed = await self._peer.ask(peer.Pipeline, "PUT", path, body=body, owner=pipeline.created_by)
        (await PipelineCrud(session, caller).get(pipeline_id, for_update=True)).name = changed.name
        _record(
            session, Action.UPDATE, pipeline_id, changed.name, {"changed": sorted(data.model_dump(exclude_none=True))}
        )
        return view.PipelineAnswer.model_validate({**changed.model_dump(), "message": "Pipeline changed"})

    async def delete(self, session: WriteSession, caller: Caller, pipeline_id: UUID) -> None:
        """Delete a pipeline, after what starts it: what fails half way goes on where the deletion is asked for again.

        Raises:
            NotFound: no such pipeline, or out of reach.
        """
        pipeline = await get_pipeline(session, caller, pipeline_id)
        await release(session)
        for path in await self._triggers_of(pipeline_id):
            await self._forget(path)
        await self._forget(f"pipelines/{pipeline_id}", pipeline.created_by)
        await session.delete(await PipelineCrud(session, caller).get(pipeline_id, for_update=True))
        _record(session, Action.DELETE, pipeline_id, pipeline.name, {})

    async def actions(self) -> view.ActionList:
        """Return what steps can do."""
        found = await self._peer.ask(peer.Actions, "GET", "actions")
        return view.ActionList.model_validate(found)

    async def action(self, action_type: str) -> view.ActionAnswer:
        """Return what an action is, or raise `NotFound`."""
        return view.ActionAnswer.model_validate(
            await self._peer.ask(peer.PipelineAction, "GET", f"actions/{action_type}")
        )

    async def validate_action(self, data: view.ActionValidate) -> view.ActionValidated:
        """Return what is wrong with an action's parameters."""
        found = await self._peer.ask(peer.Verdict, "POST", "actions/validate", body=data.model_dump())
        message = "The parameters are valid" if found.valid else "The parameters are not valid"
        return view.ActionValidated(valid=found.valid, errors=found.errors, message=message)

    async def _look(self, pipeline: Pipeline) -> peer.Pipeline:
        path = f"pipelines/{pipeline.id}"
        return await self._peer.ask(peer.Pipeline, "GET", path, owner=pipeline.created_by)

    async def _triggers_of(self, pipeline_id: UUID) -> list[str]:
        query = {"workflow_id": pipeline_id}
        schedules, webhooks, events = await asyncio.gather(
            self._peer.ask(peer.PipelineSchedules, "GET", "schedules", params=query),
            self._peer.ask(peer.PipelineWebhooks, "GET", "webhooks", params=query),
            self._peer.ask(peer.EventTriggers, "GET", "event-triggers", params=query),
        )
        found = [("schedules", one.id, one.workflow_id) for one in schedules.schedules]
        found += [("webhooks", one.id, one.workflow_id) for one in webhooks.items]
        found += [("event-triggers", one.id, one.workflow_id) for one in events.items]
        return [f"{path}/{one}" for path, one, workflow_id in found if workflow_id == pipeline_id]

    async def _forget(self, path: str, owner: UUID | None = None) -> None:
        try:
            await self._peer.tell("DELETE", path, owner)
        except NotFound:
            return


def _body(dag: Json, name: str | None, icon: str | None, owner: UUID) -> Json:
    return {"dag": dag, "name": name, "icon": icon, "user_id": str(owner), "system_owned": False}


def _record(session: WriteSession, action: Action, pipeline_id: UUID, name: str, details: Json) -> None:
    about: Json = {"resource_id": pipeline_id, "resource_name": name}
    record(session, action, ResourceType.WORKFLOW, details={"table": "pipeline", **details}, **about)
