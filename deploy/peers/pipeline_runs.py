"""The executions of budpipeline's stand-in: they do their steps one after the other, and tell of each."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from peers.control import Control, SentEvent, WorkRecord
from peers.envelope import Status
from peers.faults import Fault, current_fault
from peers.pipeline_actions import ordered
from peers.pipeline_work import ACTIONS, ActionFailed, Told, Work
from peers.sidecar import Sidecar
from peers.work import NOTIFICATION_TOPIC

Fields = dict[str, Any]
Outputs = Callable[[Fields], Fields]

OUTPUTS: dict[str, Outputs] = {}
"""What a step of an action puts out, made of its parameters; `{"success": True}` where nothing is said."""

_REFERENCE = re.compile(r"\{\{\s*((?:params|steps)\.[\w.-]+)\s*\}\}")


@dataclass
class Step:
    """A step of an execution."""

    definition: Fields
    number: int
    id: UUID = field(default_factory=uuid4)
    status: str = "PENDING"
    start: datetime | None = None
    end: datetime | None = None
    outputs: Fields | None = None
    error: str | None = None
    awaited: str | None = None

    def shown(self, execution_id: UUID, at: datetime) -> Fields:
        """Return it as budpipeline shows it."""
        return {
            "id": self.id,
            "execution_id": execution_id,
            "version": 1,
            "step_id": self.definition["id"],
            "step_name": self.definition.get("name") or self.definition["id"],
            "status": self.status,
            "start_time": self.start,
            "end_time": self.end,
            "progress_percentage": "100.00" if self.end else "0.00",
            "outputs": self.outputs,
            "error_message": self.error,
            "retry_count": 0,
            "sequence_number": self.number,
            "awaiting_event": self.awaited is not None and self.end is None,
            "external_workflow_id": self.awaited,
            "handler_type": self.definition.get("action"),
            "timeout_at": None,
            "created_at": at,
            "updated_at": self.end or self.start or at,
        }


@dataclass
class Run:
    """An execution; `pipeline_id` is empty for a definition that is not kept."""

    dag: Fields
    pipeline_id: str
    name: str
    params: Fields
    initiator: str
    callback_topics: list[str] = field(default_factory=list)
    user_id: str | None = None
    subscriber_ids: str | None = None
    payload_type: str | None = None
    notification_workflow_id: str | None = None
    id: UUID = field(default_factory=uuid4)
    status: str = "PENDING"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    end: datetime | None = None
    error: Fields | None = None
    steps: list[Step] = field(default_factory=list)
    events: list[Fields] = field(default_factory=list)

    @property
    def outputs(self) -> Fields | None:
        """What its steps have put out, once it is done."""
        if self.status != "COMPLETED":
            return None
        return {step.definition["id"]: step.outputs for step in self.steps}

    @property
    def percentage(self) -> str:
        done = sum(step.end is not None for step in self.steps)
        return f"{100 * done / max(1, len(self.steps)):.2f}"

    def params_of(self, step: Step) -> Fields:
        """Return the parameters of a step, with what `{{ params.x }}` and `{{ steps.y.outputs.z }}` stand for.

        Raises:
            ActionFailed: there is no such value.
        """
        known = {"params": self.params, "steps": {one.definition["id"]: {"outputs": one.outputs} for one in self.steps}}

        def filled(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: filled(one) for name, one in value.items()}
            if isinstance(value, list):
                return [filled(one) for one in value]
            if not isinstance(value, str):
                return value
            whole = _REFERENCE.fullmatch(value.strip())
            return _value(known, whole[1]) if whole else _REFERENCE.sub(lambda one: str(_value(known, one[1])), value)

        return dict(filled(step.definition.get("params") or {}))

    def begun(self) -> Fields:
        """Return what whoever started it is answered."""
        return {
            "execution_id": str(self.id),
            "workflow_id": self.pipeline_id,
            "workflow_name": self.name,
            "status": self.status,
            "started_at": self.created_at,
            "completed_at": self.end,
            "params": self.params,
            "outputs": self.outputs or {},
            "error": None,
        }

    def shown(self) -> Fields:
        """Return it as lists show it."""
        return {
            "id": self.id,
            "version": 1,
            "pipeline_definition": {
                **self.dag,
                "name": self.name,
                "workflow_id": self.pipeline_id,
                "workflow_name": self.name,
                "params": self.params,
            },
            "initiator": self.initiator,
            "start_time": self.created_at,
            "end_time": self.end,
            "status": self.status,
            "progress_percentage": self.percentage,
            "final_outputs": self.outputs,
            "error_info": self.error,
            "created_at": self.created_at,
            "updated_at": self.end or self.created_at,
        }

    def progress(self) -> Fields:
        """Return it with its steps and what was told of them last."""
        running = next((step.definition["id"] for step in self.steps if step.status == "RUNNING"), None)
        return {
            "execution": self.shown(),
            "steps": [step.shown(self.id, self.created_at) for step in self.steps],
            "recent_events": self.events[-20:],
            "aggregated_progress": {
                "overall_progress": self.percentage,
                "eta_seconds": None if self.end else len(self.steps),
                "completed_steps": sum(step.status == "COMPLETED" for step in self.steps),
                "total_steps": len(self.steps),
                "current_step": running,
            },
        }


class Runs:
    """All executions of the stand-in, the oldest first."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._sidecar = Sidecar(control.settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self.told = Told()
        self.pretended: set[str] = set()
        self.all: dict[UUID, Run] = {}

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sidecar.close()

    def start(self, run: Run) -> Run:
        """Start an execution, and return it."""
        run.steps = [Step(step, number) for number, step in enumerate(ordered(run.dag.get("steps") or []) or [], 1)]
        run.status = "RUNNING"
        self.all[run.id] = run
        record = WorkRecord(
            workflow_id=str(run.id),
            type=run.payload_type or "pipeline_execution",
            status=Status.RUNNING,
            started_at=run.created_at,
            workflow_of_caller=run.notification_workflow_id,
        )
        self._control.work.append(record)
        task = asyncio.create_task(
            _Execution(
                self._control,
                self._sidecar,
                self.told,
                run,
                record,
                current_fault.get() or Fault(),
                run.user_id in self.pretended,
            ).do()
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run


@dataclass
class _Execution:
    control: Control
    sidecar: Sidecar
    told: Told
    run: Run
    record: WorkRecord
    fault: Fault
    pretends: bool
    silent: bool = False

    async def do(self) -> None:
        """Do the steps to the end, or to where one fails."""
        try:
            for step in self.run.steps:
                if not await self._step(step):
                    break
            await self._end()
        except httpx.HTTPError as problem:
            self.record.status, self.record.error = Status.FAILED, f"An event could not be published: {problem!r}"
        except asyncio.CancelledError:
            self.record.status = Status.TERMINATED
            raise

    async def _step(self, step: Step) -> bool:
        step_id = step.definition["id"]
        name = step.definition.get("name") or step_id
        self.silent = self.silent or self.fault.silent_from in {step_id, str(step.number)}
        step.status, step.start = "RUNNING", datetime.now(UTC)
        await self._tell(step_id, Status.RUNNING, name, f"{name} is under way")
        await asyncio.sleep(self.control.speed.step_seconds)
        try:
            step.outputs = await self._outputs(step)
        except ActionFailed as reason:
            step.status, step.error, step.end = "FAILED", str(reason), datetime.now(UTC)
            self.run.error = {"message": str(reason), "step_id": step_id, "error_type": "StepFailed"}
            await self._tell(step_id, Status.FAILED, name, str(reason))
            return False
        step.status, step.end = "COMPLETED", datetime.now(UTC)
        result = {"progress_percentage": self.run.percentage, "duration_seconds": 0, "sequence_number": step.number}
        await self._tell(step_id, Status.COMPLETED, name, f"{name} is done", {"outputs": step.outputs, "success": True})
        await self._tell("progress", Status.RUNNING, self.run.name, f"{self.run.percentage}% done", result)
        return True

    async def _outputs(self, step: Step) -> Fields:
        """Do what a step is for, and return what it puts out, or raise `ActionFailed`."""
        if self.fault.fail_at in {step.definition["id"], str(step.number)}:
            raise ActionFailed(self.fault.message)
        action, params = step.definition.get("action") or "", self.run.params_of(step)
        if action in ACTIONS and not self.pretends:

            def awaits(workflow_id: str) -> None:
                step.awaited = workflow_id

            work = Work(self.sidecar, self.told, params, self.run.user_id, awaits)
            return {"success": True, **await ACTIONS[action](work)}
        made = OUTPUTS.get(action)
        return made(params) if made is not None else {"success": True}

    async def _end(self) -> None:
        failed = self.run.error is not None
        self.run.status, self.run.end = ("FAILED" if failed else "COMPLETED"), datetime.now(UTC)
        self.record.status = Status.FAILED if failed else Status.COMPLETED
        self.silent = self.silent or self.fault.silent_from == "results"
        message = str(self.run.error["message"]) if self.run.error else f"{self.run.name} is done"
        result = {"outputs": self.run.outputs or {}, "success": not failed}
        await self._tell("results", Status(self.record.status), self.run.name, message, result)

    async def _tell(
        self, event: str, status: Status, title: str, message: str, result: Mapping[str, Any] | None = None
    ) -> None:
        if self.silent:
            return
        run, now = self.run, datetime.now(UTC)
        kind = "workflow_completed" if event == "results" else "workflow_progress" if event == "progress" else "step"
        run.events.append(
            {
                "id": uuid4(),
                "execution_id": run.id,
                "event_type": kind,
                "progress_percentage": run.percentage,
                "eta_seconds": None,
                "current_step_desc": message,
                "event_details": result,
                "timestamp": now,
                "sequence_number": len(run.events) + 1,
                "created_at": now,
            }
        )
        topics = [*run.callback_topics, *([NOTIFICATION_TOPIC] if run.subscriber_ids else [])]
        await asyncio.sleep(self.fault.event_delay_seconds)
        for _ in range(2 if self.fault.duplicate else 1):
            for topic in topics:
                await self.sidecar.publish(topic, self._envelope(event, status, title, message, result))
        shown = {"status": status, "title": title, "message": message}
        kind = run.payload_type or "pipeline_execution"
        self.record.events.append(SentEvent(sent_at=now, topics=topics, type=kind, event=event, **shown))

    def _envelope(
        self, event: str, status: Status, title: str, message: str, result: Mapping[str, Any] | None
    ) -> Fields:
        run = self.run
        return {
            "notification_type": "event",
            "name": "bud-notification",
            "subscriber_ids": run.subscriber_ids,
            "payload": {
                "category": "internal",
                "type": run.payload_type or "pipeline_execution",
                "event": event,
                "workflow_id": run.notification_workflow_id or str(run.id),
                "source": "budpipeline",
                "content": {"title": title, "message": message, "status": status, "result": result},
            },
            "source": "budpipeline",
            "source_topic": "budpipelineEvents",
            "type": run.payload_type or "pipeline_execution",
        }


def _value(known: Fields, path: str) -> Any:
    found: Any = known
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            raise ActionFailed(f"There is no {path}")
        found = found[name]
    return found
