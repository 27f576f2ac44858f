"""Work that goes on after the answer: it does its steps, and sends an event for each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from peers.control import Control, SentEvent, WorkRecord
from peers.envelope import Status, WorkAnswer, WorkRequest
from peers.faults import Fault, current_fault
from peers.flow import RESULTS, Event, Flow, failure, plan
from peers.sidecar import Sidecar

NOTIFICATION_TOPIC = "notificationMessages"
"""What budnotify listens to: it shows each event to the user in the browser."""

Result = Callable[[UUID], dict[str, Any] | None]
Deed = Callable[[], Awaitable[None]]


class StepFailed(Exception):
    """A step cannot be done; the message says why."""


def blocking(function: Callable[..., object], *arguments: object) -> Deed:
    """Return the deed of calling a function that blocks; an `OSError` of its makes the step fail."""

    async def run() -> None:
        try:
            await asyncio.to_thread(function, *arguments)
        except OSError as problem:
            raise StepFailed(str(problem)) from problem

    return run


@dataclass(frozen=True)
class Order:
    """Work to do.

    Attributes:
        flow: what kind of work.
        request: who is told, and where.
        result: makes what the results carry, from the id of the work.
        facts: what the placeholders in the flow's texts stand for; a deed may add to them.
        deeds: what is really done in a step, by its id, or `results` at the end. One that raises `StepFailed` ends the
            work.
        undo: takes back what the deeds have done, where the work fails or is cancelled.
    """

    flow: Flow
    request: WorkRequest
    result: Result
    facts: Mapping[str, object] = field(default_factory=dict)
    deeds: Mapping[str, Deed] = field(default_factory=dict)
    undo: Callable[[], None] = lambda: None


class Works:
    """The work of one stand-in."""

    def __init__(self, control: Control, topic: str) -> None:
        """Set up.

        Args:
            control: knows the speed and the faults, and keeps the records.
            topic: the stand-in's own topic, which its events name as where they come from.
        """
        self._control = control
        self._topic = topic
        self.sidecar = Sidecar(control.settings)
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """End what is under way when the stand-in stops."""
        yield
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.sidecar.close()

    def start(self, order: Order) -> WorkAnswer:
        """Start work, and return what the caller is answered."""
        workflow_id, metadata = uuid4(), order.request.notification_metadata
        record = WorkRecord(
            workflow_id=str(workflow_id),
            type=order.flow.type,
            status=Status.RUNNING,
            started_at=datetime.now(UTC),
            workflow_of_caller=metadata.workflow_id if metadata else None,
        )
        self._control.work.append(record)
        job = _Job(self._control, self.sidecar, self._topic, workflow_id, order, record, current_fault.get() or Fault())
        task = asyncio.create_task(job.run())
        self._tasks[workflow_id] = task
        task.add_done_callback(lambda _task: self._tasks.pop(workflow_id, None))
        return WorkAnswer(
            workflow_id=workflow_id,
            workflow_name=order.flow.type,
            steps=order.flow.step_answers(),
            status=Status.RUNNING,
            eta=order.flow.minutes,
        )

    def cancel(self, workflow_id: UUID) -> bool:
        """End work without another event; return whether it was under way."""
        task = self._tasks.get(workflow_id)
        return task is not None and task.cancel()


@dataclass
class _Job:
    control: Control
    sidecar: Sidecar
    topic: str
    workflow_id: UUID
    order: Order
    record: WorkRecord
    fault: Fault
    last_time: str = ""
    done: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Do the work to its end, or to where it fails."""
        try:
            events = plan(self.order.flow, self.fault)
            for event in sorted(events, key=lambda event: event.step) if self.fault.reorder else []:
                await self._work_for(event)
            for event in events:
                await self._do(event)
            failing = self.fault.fail_at and self.order.flow.number_of(self.fault.fail_at) <= len(self.order.flow.steps)
            self.record.status = Status.FAILED if failing else Status.COMPLETED
        except StepFailed:
            self.record.status = Status.FAILED
        except httpx.HTTPError as problem:
            self.record.status, self.record.error = Status.FAILED, f"An event could not be published: {problem!r}"
        except asyncio.CancelledError:
            self.record.status = Status.TERMINATED
            raise
        finally:
            if self.record.status in {Status.FAILED, Status.TERMINATED}:
                self.order.undo()

    async def _do(self, event: Event) -> None:
        await asyncio.sleep(event.takes * self.control.speed.step_seconds + self.fault.event_delay_seconds)
        await self._work_for(event)
        await self._send(event)

    async def _work_for(self, event: Event) -> None:
        """Do what the event tells of, unless that was done before."""
        deed = self.order.deeds.get(event.event)
        if deed is None or not event.ends_step or event.event in self.done:
            return
        self.done.add(event.event)
        try:
            await deed()
        except StepFailed as reason:
            self.record.error = str(reason)
            await self._send(failure(self.order.flow, event.step, str(reason)))
            raise

    async def _send(self, event: Event) -> None:
        request, metadata = self.order.request, self.order.request.notification_metadata
        if metadata is None:
            return
        told = bool(metadata.subscriber_ids or metadata.topic_keys)
        topics = [*([NOTIFICATION_TOPIC] if told else []), *request.topics()]
        envelope = self._envelope(event, "notification" if told else event.type)
        for topic in topics:
            await self.sidecar.publish(topic, envelope)
        content = envelope["payload"]["content"]
        shown = {name: content[name] for name in ("status", "title", "message")}
        self.record.events.append(
            SentEvent(sent_at=datetime.now(UTC), topics=topics, type=event.type, event=event.event, **shown)
        )

    def _envelope(self, event: Event, envelope_type: str) -> dict[str, Any]:
        metadata = self.order.request.notification_metadata
        assert metadata
        result = self.order.result(self.workflow_id) if event.event == RESULTS else None
        envelope = {
            "notification_type": metadata.notification_type,
            "name": metadata.name,
            "subscriber_ids": metadata.subscriber_ids,
            "actor": metadata.actor,
            "topic_keys": metadata.topic_keys,
            "payload": {
                "category": metadata.category,
                "type": event.type,
                "event": event.event,
                "workflow_id": metadata.workflow_id,
                "source": self.control.name,
                "content": event.content(self.order.facts, result),
            },
            "source": None,
            "source_topic": self.topic,
            "type": envelope_type,
        }
        if self.fault.duplicate:  # else the sidecar fills in the time, to the second
            self.last_time = self.last_time if event.redelivered else datetime.now(UTC).isoformat()
            envelope["time"] = self.last_time
        return envelope
