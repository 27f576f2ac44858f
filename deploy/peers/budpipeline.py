"""The stand-in for budpipeline: pipelines, executions that do their steps, and schedules that fire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, FastAPI, Header, HTTPException, Query, Response, status
from pydantic import AwareDatetime, BaseModel, Field

from peers import pipeline_actions as actions
from peers.control import Control
from peers.pipeline_runs import Run, Runs
from peers.pipeline_triggers import Triggers
from peers.pipeline_work import TOPIC

Fields = dict[str, Any]
UserId = Annotated[str | None, Header(alias="X-User-ID")]
_NOT_FOUND = status.HTTP_404_NOT_FOUND


class PipelineBody(BaseModel):
    """A pipeline to keep; a change needs the DAG, too."""

    dag: Fields
    name: str | None = None
    icon: str | None = None
    user_id: str | None = None
    system_owned: bool = False


class KnownPipeline(PipelineBody):
    """A pipeline to know of that nobody has asked for."""

    id: UUID


class _Start(BaseModel):
    params: Fields = Field(default_factory=dict)
    callback_topics: list[str] | None = None
    user_id: str | None = None
    initiator: str = "api"
    subscriber_ids: str | None = None
    payload_type: str | None = None
    notification_workflow_id: str | None = Field(default=None, max_length=255)

    def whom(self) -> Fields:
        """Return who starts it, and who is told."""
        known = self.model_dump(exclude={"params", "callback_topics", "workflow_id", "pipeline_definition"})
        return {**known, "callback_topics": self.callback_topics or []}


class StartBody(_Start):
    """A pipeline to start."""

    workflow_id: str


class RunBody(_Start):
    """A definition to run once."""

    pipeline_definition: Fields


class KnownRun(BaseModel):
    """An execution to know of that nobody has asked for."""

    id: UUID
    pipeline_id: str = ""
    initiator: str = "schedule"


class DagBody(BaseModel):
    """A DAG to look at."""

    dag: Fields


class ParameterBody(BaseModel):
    """An action's parameters to look at."""

    action_type: str
    params: Fields


class ExecutionQuery(BaseModel):
    """Which executions are listed."""

    start_date: AwareDatetime | None = None
    end_date: AwareDatetime | None = None
    status: str | None = None
    initiator: str | None = None
    workflow_id: UUID | None = None
    page: int = Field(default=1, ge=1)
    page_size: int = Field(default=20, ge=1, le=100)

    def finds(self, run: Run) -> bool:
        """Tell whether an execution is among them."""
        return (
            (self.start_date is None or run.created_at >= self.start_date)
            and (self.end_date is None or run.created_at <= self.end_date)
            and self.status in {None, run.status}
            and self.initiator in {None, run.initiator}
            and (self.workflow_id is None or run.pipeline_id == str(self.workflow_id))
        )


class Pipelines:
    """What the stand-in keeps, in memory."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self.all: dict[str, Fields] = {}

    def create(self, body: PipelineBody) -> Fields:
        """Keep a pipeline."""
        return self.put(str(uuid4()), body)

    def put(self, id: str, body: PipelineBody) -> Fields:
        """Keep a pipeline of this id, or change it."""
        verdict = actions.dag_verdict(body.dag)
        if not verdict["valid"]:
            raise HTTPException(
                status.HTTP_400_BAD_REQUEST, {"error": verdict["errors"][0], "errors": verdict["errors"]}
            )
        before, now = self.all.get(id), datetime.now(UTC)
        self.all[id] = {
            "id": id,
            "name": body.name or body.dag.get("name") or "Pipeline",
            "version": str(int(before["version"]) + 1) if before else "1",
            "status": "active",
            "created_at": before["created_at"] if before else now,
            "updated_at": now,
            "step_count": verdict["step_count"],
            "user_id": before["user_id"] if before else body.user_id,
            "system_owned": body.system_owned,
            "description": body.dag.get("description"),
            "icon": body.icon,
            "dag": body.dag,
            "warnings": verdict["warnings"],
        }
        return self.shown(id)

    def shown(self, id: str) -> Fields:
        """Return a pipeline with how often it was executed."""
        runs = [run for run in self._runs.all.values() if run.pipeline_id == id]
        last = max((run.created_at for run in runs), default=None)
        return {**self.all[id], "execution_count": len(runs), "last_execution_at": last}

    def of(self, id: str, user_id: str | None) -> Fields:
        """Return a pipeline of the user's, or the platform's own; or answer 404."""
        found = self.all.get(id)
        if found is None or not (user_id is None or found["system_owned"] or found["user_id"] == user_id):
            raise HTTPException(_NOT_FOUND, f"Pipeline not found: {id}")
        return self.shown(id)

    def execute(self, id: str, params: Fields, **whom: Any) -> Run:
        """Start a pipeline, or answer 404."""
        pipeline = self.of(id, None)
        whom["user_id"] = whom.get("user_id") or pipeline["user_id"]
        return self._runs.start(Run(pipeline["dag"], id, pipeline["name"], params, **whom))


def _pipeline_routes(pipelines: Pipelines) -> APIRouter:
    routes = APIRouter(tags=["pipelines"])

    @routes.get("/pipelines")
    async def list_pipelines(user_id: UserId = None, include_system: bool = False) -> list[Fields]:
        found = pipelines.all.values()
        return [
            pipelines.shown(one["id"])
            for one in found
            if (one["system_owned"] and include_system)
            or (not one["system_owned"] and user_id in {None, one["user_id"]})
        ]

    @routes.post("/pipelines", status_code=201)
    async def create_pipeline(body: PipelineBody) -> Fields:
        return pipelines.create(body)

    @routes.get("/pipelines/{id}")
    async def get_pipeline(id: str, user_id: UserId = None) -> Fields:
        return pipelines.of(id, user_id)

    @routes.put("/pipelines/{id}")
    async def update_pipeline(id: str, body: PipelineBody, user_id: UserId = None) -> Fields:
        pipelines.of(id, user_id)
        return pipelines.put(id, body)

    @routes.delete("/pipelines/{id}", status_code=204)
    async def delete_pipeline(id: str, user_id: UserId = None) -> Response:
        pipelines.of(id, user_id)
        del pipelines.all[id]
        return Response(status_code=204)

    @routes.post("/validate")
    async def validate(body: DagBody) -> Fields:
        return actions.dag_verdict(body.dag)

    @routes.get("/actions")
    async def list_actions() -> Fields:
        return actions.listed()

    @routes.get("/actions/{action_type}")
    async def get_action(action_type: str) -> Fields:
        return actions.one(action_type)

    @routes.post("/actions/validate")
    async def validate_action(body: ParameterBody) -> Fields:
        errors = actions.parameter_errors(body.action_type, body.params)
        return {"valid": not errors, "errors": errors}

    @routes.put("/control/pipelines", tags=["control"])
    async def know_pipeline(body: KnownPipeline) -> Fields:
        pipelines.all.pop(str(body.id), None)
        return pipelines.put(str(body.id), body)

    return routes


def _run_routes(pipelines: Pipelines, runs: Runs) -> APIRouter:
    routes = APIRouter(tags=["executions"])

    def found(execution_id: UUID) -> Run:
        if execution_id not in runs.all:
            raise HTTPException(_NOT_FOUND, f"Execution not found: {execution_id}")
        return runs.all[execution_id]

    @routes.post("/executions", status_code=201)
    async def execute(body: StartBody) -> Fields:
        return pipelines.execute(body.workflow_id, body.params, **body.whom()).begun()

    @routes.post("/executions/run", status_code=201)
    async def run(body: RunBody) -> Fields:
        dag = body.pipeline_definition
        verdict = actions.dag_verdict(dag)
        if not verdict["valid"]:
            errors = {"error": verdict["errors"][0], "errors": verdict["errors"]}
            raise HTTPException(status.HTTP_400_BAD_REQUEST, errors)
        return runs.start(Run(dag, "", dag.get("name") or "Pipeline", body.params, **body.whom())).begun()

    @routes.get("/executions")
    async def list_executions(query: Annotated[ExecutionQuery, Query()]) -> Fields:
        all_found = [one for one in runs.all.values() if query.finds(one)][::-1]
        first = (query.page - 1) * query.page_size
        page = {"page": query.page, "page_size": query.page_size, "total_count": len(all_found)}
        total = max(1, -(-len(all_found) // query.page_size))
        shown = [one.shown() for one in all_found[first : first + query.page_size]]
        return {"executions": shown, "pagination": {**page, "total_pages": total}}

    @routes.get("/executions/{execution_id}")
    async def get_execution(execution_id: UUID) -> Fields:
        return found(execution_id).shown()

    @routes.get("/executions/{execution_id}/progress")
    async def get_progress(execution_id: UUID) -> Fields:
        return found(execution_id).progress()

    @routes.get("/executions/{execution_id}/steps")
    async def get_steps(execution_id: UUID) -> Fields:
        return {"steps": found(execution_id).progress()["steps"]}

    @routes.get("/executions/{execution_id}/events")
    async def get_events(execution_id: UUID, limit: int = 100, offset: int = 0) -> Fields:
        events = found(execution_id).events
        return {"events": events[offset : offset + limit], "total_count": len(events), "limit": limit, "offset": offset}

    @routes.put("/control/executions", tags=["control"])
    async def know_run(body: KnownRun) -> Fields:
        if body.id not in runs.all:
            dag = {"steps": [{"id": "one", "action": "log"}]}
            runs.start(Run(dag, body.pipeline_id, "Known", {}, body.initiator, id=body.id))
        return runs.all[body.id].begun()

    return routes


def _event_routes(control: Control, runs: Runs, triggers: Triggers) -> APIRouter:
    routes = APIRouter(tags=["events"])

    @routes.get("/dapr/subscribe")
    async def subscribe() -> list[Fields]:
        delivered = {"topic": TOPIC, "routes": {"default": "/workflow-events"}, "deadLetterTopic": "poisonMessages"}
        return [{"pubsubname": control.settings.pubsub_name, **delivered}]

    @routes.post("/workflow-events")
    async def take_event(event: Fields) -> Fields:
        await runs.told.take(event)
        return {"status": "SUCCESS", "triggered": triggers.happened(event)}

    @routes.put("/control/pretend/{user_id}", tags=["control"])
    async def pretend(user_id: UUID) -> None:
        """Only say of a user's work at budapp that it is done: it is done for a budapp that no sidecar leads to."""
        runs.pretended.add(str(user_id))

    return routes


def router(control: Control) -> APIRouter:
    """Return the routes of the contract, and those that set what it knows."""
    runs = Runs(control)
    pipelines = Pipelines(runs)
    triggers = Triggers(pipelines.execute, control.settings.peer_port)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with triggers.firing():
            yield
        await runs.close()

    routes = APIRouter(lifespan=lifespan)
    routes.include_router(_pipeline_routes(pipelines))
    routes.include_router(_run_routes(pipelines, runs))
    routes.include_router(_event_routes(control, runs, triggers))
    routes.include_router(triggers.router())
    return routes
