"""What starts pipelines by itself in budpipeline's stand-in: schedules, webhooks and events."""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, HTTPException, Request, Response, status
from pydantic import AwareDatetime, BaseModel, Field

from peers.pipeline_clock import next_due, seconds_of
from peers.pipeline_runs import Run

Fields = dict[str, Any]
Execute = Callable[..., Run]

_LOOK_SECONDS = 0.2
_GONE = status.HTTP_404_NOT_FOUND


class Timing(BaseModel):
    """When a schedule fires."""

    type: Literal["cron", "interval", "one_time", "manual"]
    expression: str | None = None
    timezone: str = "UTC"
    run_at: AwareDatetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """Return when it fires next, or answer 400 where it makes no sense."""
        try:
            ZoneInfo(self.timezone)
            if self.type == "one_time":
                return self.run_at if self.run_at and self.run_at > moment else None
            if self.type == "interval":
                return moment + timedelta(seconds=seconds_of(self.expression or ""))
            return next_due(self.expression or "", self.timezone, moment) if self.type == "cron" else None
        except (ValueError, ZoneInfoNotFoundError) as problem:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, {"error": str(problem)}) from problem


class ScheduleChange(BaseModel):
    """What of a schedule is to change."""

    name: str | None = Field(default=None, min_length=1, max_length=255)
    schedule: Timing | None = None
    params: Fields | None = None
    enabled: bool | None = None
    description: str | None = Field(default=None, max_length=1000)
    max_runs: int | None = Field(default=None, ge=1)
    expires_at: AwareDatetime | None = None


class ScheduleBody(ScheduleChange):
    """A schedule to keep."""

    workflow_id: str
    name: str = Field(min_length=1, max_length=255)
    schedule: Timing
    params: Fields = Field(default_factory=dict)
    enabled: bool = True


class WebhookConfig(BaseModel):
    """Who may call a webhook."""

    require_secret: bool = True
    allowed_ips: list[str] | None = None
    headers_to_include: list[str] = []


class WebhookBody(BaseModel):
    """A webhook to keep."""

    workflow_id: str
    name: str = Field(min_length=1, max_length=255)
    config: WebhookConfig = WebhookConfig()
    params: Fields = Field(default_factory=dict)
    enabled: bool = True


class EventConfig(BaseModel):
    """Which event starts a pipeline."""

    event_type: str
    filters: Fields = Field(default_factory=dict)


class EventTriggerBody(BaseModel):
    """An event trigger to keep."""

    workflow_id: str
    name: str = Field(min_length=1, max_length=255)
    config: EventConfig
    params: Fields = Field(default_factory=dict)
    enabled: bool = True


class Parameters(BaseModel):
    """What whoever calls a webhook says."""

    params: Fields = Field(default_factory=dict)


class Known(BaseModel):
    """A trigger to know of that nobody has asked for."""

    kind: Literal["schedules", "webhooks", "event-triggers"]
    id: UUID
    workflow_id: str
    name: str = "Known"


class Triggers:
    """What the stand-in keeps of them, in memory, by their kind."""

    def __init__(self, execute: Execute, port: int) -> None:
        self._execute = execute
        self._at = f"http://127.0.0.1:{port}"
        self._digests: dict[str, str] = {}
        self.all: dict[str, dict[str, Fields]] = {"schedules": {}, "webhooks": {}, "event-triggers": {}}

    @asynccontextmanager
    async def firing(self) -> AsyncIterator[None]:
        """Have schedules fire meanwhile."""
        task = asyncio.create_task(self._fire_for_ever())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _fire_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.fire_due()

    def fire_due(self) -> int:
        """Start what is due, and return how many."""
        now = datetime.now(UTC)
        due = [one for one in self.all["schedules"].values() if one["next_run_at"] and one["next_run_at"] <= now]
        for schedule in due:
            self._come_due(schedule, now)
        return len(due)

    def _come_due(self, schedule: Fields, moment: datetime) -> None:
        if not self._expired(schedule, moment):
            self._fire(schedule, moment)

    def _expired(self, schedule: Fields, moment: datetime) -> bool:
        if schedule["expires_at"] is None or schedule["expires_at"] > moment:
            return False
        schedule.update(next_run_at=None, enabled=False, status="expired")
        return True

    def _fire(self, schedule: Fields, moment: datetime) -> Run | None:
        schedule["run_count"] += 1
        done = schedule["max_runs"] is not None and schedule["run_count"] >= schedule["max_runs"]
        due = None if done or schedule["status"] != "active" else Timing(**schedule["schedule"]).after(moment)
        schedule.update(next_run_at=due, last_run_at=moment)
        if due is None and schedule["status"] == "active":
            schedule.update(status="completed", enabled=False)
        try:
            run = self._execute(schedule["workflow_id"], schedule["params"], initiator="schedule")
        except HTTPException:
            schedule.update(last_execution_status="FAILED", last_execution_id=None)
            return None
        schedule.update(last_execution_id=str(run.id), last_execution_status=run.status)
        return run

    def create(self, kind: str, body: Fields, known_id: str | None = None) -> Fields:
        """Keep a trigger."""
        made_id, now = known_id or str(uuid4()), datetime.now(UTC)
        fresh: Fields = {"last_triggered_at": None, "trigger_count": 0}
        if kind == "schedules":
            due = Timing(**body["schedule"]).after(datetime.now(UTC)) if body["enabled"] else None
            fresh = {"next_run_at": due, "last_run_at": None, "last_execution_id": None, "last_execution_status": None}
            fresh |= {"run_count": 0, "status": "active" if body["enabled"] else "paused"}
        elif kind == "webhooks":
            fresh["endpoint_url"] = f"{self._at}/trigger/{made_id}"
        self.all[kind][made_id] = {"id": made_id, **body, **fresh, "created_at": now, "updated_at": now}
        return self.all[kind][made_id]

    def found(self, kind: str, id: str) -> Fields:
        """Return a trigger, or answer 404."""
        if id not in self.all[kind]:
            raise HTTPException(_GONE, f"Not found: {id}")
        return self.all[kind][id]

    def listed(self, kind: str, workflow_id: str | None, enabled: bool | None) -> list[Fields]:
        """Return the triggers of a pipeline, or all."""
        found = self.all[kind].values()
        return [one for one in found if workflow_id in {None, one["workflow_id"]} and enabled in {None, one["enabled"]}]

    def secret(self, webhook: Fields) -> Fields:
        """Give a webhook a new secret, and return it with that."""
        made = f"whsec_{secrets.token_urlsafe(24)}"
        self._digests[webhook["id"]] = hashlib.sha256(made.encode()).hexdigest()
        return {**webhook, "secret": made}

    def _admit(self, webhook: Fields, request: Request) -> None:
        config, address = webhook["config"], request.client.host if request.client else "0.0.0.0"
        sent = hashlib.sha256(request.headers.get("x-webhook-secret", "").encode()).hexdigest()
        if not webhook["enabled"]:
            raise HTTPException(status.HTTP_403_FORBIDDEN, "The webhook is off")
        if config["require_secret"] and not secrets.compare_digest(sent, self._digests.get(webhook["id"], "")):
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "The secret is wrong")
        if config["allowed_ips"] and not any(ip_address(address) in ip_network(net) for net in config["allowed_ips"]):
            raise HTTPException(status.HTTP_403_FORBIDDEN, "The address is not allowed")

    def _start(self, trigger: Fields, params: Fields, initiator: str) -> Run:
        trigger.update(trigger_count=trigger["trigger_count"] + 1, last_triggered_at=datetime.now(UTC))
        return self._execute(trigger["workflow_id"], {**trigger["params"], **params}, initiator=initiator)

    def happened(self, event: Fields) -> int:
        """Start what waits for an event, and return how many pipelines."""
        inner = event.get("payload")
        payload: Fields = inner if isinstance(inner, dict) else event
        waiting = [
            one
            for one in self.all["event-triggers"].values()
            if one["enabled"]
            and one["config"]["event_type"] == payload.get("type")
            and all(payload.get(name) == value for name, value in one["config"]["filters"].items())
        ]
        for trigger in waiting:
            self._start(trigger, {"event": payload}, "event")
        return len(waiting)

    def router(self) -> APIRouter:
        """Return the routes of the contract, and those that make schedules come due."""
        routes = APIRouter(tags=["triggers"])
        for kind, schema in (("webhooks", WebhookBody), ("event-triggers", EventTriggerBody)):
            self._add_common(routes, kind)
            self._add_creation(routes, kind, schema)
        self._add_common(routes, "schedules")
        self._add_schedules(routes)
        self._add_calls(routes)
        return routes

    def _add_common(self, routes: APIRouter, kind: str) -> None:
        @routes.get(f"/{kind}")
        async def list_all(workflow_id: str | None = None, enabled: bool | None = None) -> Any:
            found = self.listed(kind, workflow_id, enabled)
            return {"schedules": found, "total": len(found)} if kind == "schedules" else found

        @routes.get(f"/{kind}/{{id}}")
        async def get(id: str) -> Fields:
            return self.found(kind, id)

        @routes.delete(f"/{kind}/{{id}}", status_code=204)
        async def delete(id: str) -> Response:
            self.found(kind, id)
            del self.all[kind][id]
            return Response(status_code=204)

    def _add_creation(self, routes: APIRouter, kind: str, schema: type[BaseModel]) -> None:
        @routes.post(f"/{kind}", status_code=201)
        async def create(body: schema) -> Fields:  # type: ignore[valid-type]
            made = self.create(kind, body.model_dump())  # type: ignore[attr-defined]
            return self.secret(made) if kind == "webhooks" and made["config"]["require_secret"] else made

        @routes.put(f"/{kind}/{{id}}")
        async def update(id: str, body: Fields) -> Fields:
            known = {name: value for name, value in body.items() if name in {"name", "config", "params", "enabled"}}
            self.found(kind, id).update(known, updated_at=datetime.now(UTC))
            return self.found(kind, id)

    def _add_schedules(self, routes: APIRouter) -> None:
        @routes.post("/schedules", status_code=201)
        async def create(body: ScheduleBody) -> Fields:
            return self.create("schedules", body.model_dump())

        @routes.put("/schedules/{id}")
        async def update(id: str, body: ScheduleChange) -> Fields:
            schedule = self.found("schedules", id)
            schedule.update(body.model_dump(exclude_unset=True), updated_at=datetime.now(UTC))
            return self._wound(schedule, schedule["enabled"])

        @routes.post("/schedules/{id}/pause")
        async def pause(id: str) -> Fields:
            return self._wound(self.found("schedules", id), False)

        @routes.post("/schedules/{id}/resume")
        async def resume(id: str) -> Fields:
            return self._wound(self.found("schedules", id), True)

        @routes.post("/schedules/{id}/trigger")
        async def trigger(id: str) -> Fields:
            run = self._fire(self.found("schedules", id), datetime.now(UTC))
            if run is None:
                raise HTTPException(_GONE, "The pipeline of the schedule is gone")
            return {"execution_id": str(run.id), "status": run.status, "schedule_id": id}

        @routes.get("/schedules/{id}/next-runs")
        async def preview(id: str, count: int = 10) -> Fields:
            schedule, moment = self.found("schedules", id), datetime.now(UTC)
            found: list[datetime] = []
            while len(found) < count and (due := Timing(**schedule["schedule"]).after(moment)):
                found.append(due)
                moment = due
            return {"schedule_id": id, "next_runs": found}

    def _wound(self, schedule: Fields, enabled: bool) -> Fields:
        due = Timing(**schedule["schedule"]).after(datetime.now(UTC)) if enabled else None
        schedule.update(enabled=enabled, status="active" if enabled else "paused", next_run_at=due)
        return schedule

    def _add_calls(self, routes: APIRouter) -> None:
        @routes.post("/webhooks/{id}/rotate-secret")
        async def rotate(id: str) -> Fields:
            return self.secret(self.found("webhooks", id))

        @routes.post("/trigger/{id}")
        async def call(id: str, request: Request, body: Parameters | None = None) -> Fields:
            webhook = self.found("webhooks", id)
            self._admit(webhook, request)
            run = self._start(webhook, body.params if body else {}, "webhook")
            return {"execution_id": str(run.id), "workflow_id": run.pipeline_id, "status": run.status}

        @routes.post("/internal/schedule-poll")
        async def poll() -> Fields:
            return {"triggered": self.fire_due()}

        @routes.post("/control/schedules/{id}/due", tags=["control"])
        async def come_due(id: str) -> Fields:
            schedule = self.found("schedules", id)
            if schedule["next_run_at"] is not None:
                self._come_due(schedule, schedule["next_run_at"])
            return schedule

        @routes.put("/control/triggers", tags=["control"])
        async def know(body: Known) -> Fields:
            if str(body.id) in self.all[body.kind]:
                return self.all[body.kind][str(body.id)]
            known = body.model_dump(include={"workflow_id", "name"})
            daily = Timing(type="cron", expression="0 3 * * *")
            made: dict[str, BaseModel] = {
                "schedules": ScheduleBody(**known, schedule=daily, enabled=False),
                "webhooks": WebhookBody(**known),
                "event-triggers": EventTriggerBody(**known, config=EventConfig(event_type="model_added")),
            }
            return self.create(body.kind, made[body.kind].model_dump(), str(body.id))
