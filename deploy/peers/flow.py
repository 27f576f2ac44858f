"""What the events of work are: its steps in order, and what a fault makes of them. No clock, no network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peers.envelope import Status, StepAnswer
from peers.faults import Fault

Text = tuple[str, str]
"""Title and message."""

ETA, RESULTS = "eta", "results"
_ETA_TITLE = "Estimated time to completion"


@dataclass(frozen=True)
class Step:
    """A step, and what is told of it; a step of which nothing is told sends no event."""

    id: str
    title: str
    description: str
    failed: Text
    completed: Text | None = None
    started: Text | None = None
    running: Text | None = None

    def told(self) -> list[tuple[Status, Text]]:
        """Return what is told of the step when all goes well."""
        texts = ((Status.STARTED, self.started), (Status.RUNNING, self.running), (Status.COMPLETED, self.completed))
        return [(status, text) for status, text in texts if text]


@dataclass(frozen=True)
class Flow:
    """Work of one kind.

    Attributes:
        type: the name of the work, which is the type of its events.
        steps: in the order in which they are done.
        results: what is told at the end, with the result.
        minutes: how long it is said to take.
        eta_type: the type of the events that tell how long it still takes, where it differs.
        process: the work as a whole, where its begin and its end are told too; it is not among the steps.
    """

    type: str
    steps: Sequence[Step]
    results: Text
    minutes: int | None = None
    eta_type: str | None = None
    process: Step | None = None

    def step_answers(self) -> list[StepAnswer]:
        """Return the steps as the caller is told of them."""
        return [StepAnswer(id=step.id, title=step.title, description=step.description) for step in self.steps]

    def number_of(self, step: str) -> int:
        """Return the place of a step, counted from 1, that is named by its id or by that place.

        The place after the last step is that of the results, and of what names no step.
        """
        ids = [one.id for one in self.steps]
        after = len(ids) + 1
        if step.isdigit():
            return min(max(int(step), 1), after)
        return ids.index(step) + 1 if step in ids else after


@dataclass(frozen=True)
class Event:
    """An event to send.

    Attributes:
        type: the kind of work.
        event: the step, or `eta`, or `results`.
        step: the place of its step, counted from 1; the results have the place after the last one.
        title, message: with placeholders, which `content` fills in.
        takes: how much of the time of a step passes before it.
        error: why the step has failed.
        redelivered: it is the event before it over again, to its time.
    """

    type: str
    event: str
    step: int
    status: Status
    title: str
    message: str
    takes: float = 0
    error: str = ""
    redelivered: bool = False

    @property
    def ends_step(self) -> bool:
        """Tell whether the work of the step is done before this is sent."""
        return self.status == Status.COMPLETED

    def content(self, facts: Mapping[str, object], result: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what the event says; the placeholders stand for the facts, and `error` for its own."""
        words = {**facts, "error": self.error}
        return {
            "title": self.title.format_map(words),
            "message": self.message.format_map(words),
            "status": self.status,
            "result": dict(result) if result is not None else None,
            "primary_action": "retry" if self.status == Status.FAILED else None,
            "secondary_action": None,
        }


def plan(flow: Flow, fault: Fault | None = None) -> list[Event]:
    """Return the events that work sends, in their order, when this goes wrong with it."""
    fault = fault or Fault()
    fails_at = flow.number_of(fault.fail_at) if fault.fail_at else None
    events = _process(flow, Status.STARTED)
    for number in range(1, len(flow.steps) + 1):
        if number == fails_at:
            begun = [event for event in _step(flow, number) if not event.ends_step]
            return _troubled(flow, [*events, *begun, failure(flow, number, fault.message)], fault)
        events += _step(flow, number)
    return _troubled(flow, [*events, *_process(flow, Status.COMPLETED), _results(flow)], fault)


def failure(flow: Flow, number: int, error: str) -> Event:
    """Return the event of a step that has failed, which ends the work; what fails at the end fails the last step."""
    step = flow.steps[min(number, len(flow.steps)) - 1]
    return Event(flow.type, step.id, number, Status.FAILED, *step.failed, error=error)


def _step(flow: Flow, number: int) -> list[Event]:
    step = flow.steps[number - 1]
    pauses = sum(status != Status.STARTED for status, _ in step.told()) or 1
    events = [
        Event(flow.type, step.id, number, status, *text, takes=0 if status == Status.STARTED else 1 / pauses)
        for status, text in step.told()
    ]
    begun = 1 if step.started else 0
    return [*events[:begun], *_eta(flow, number), *events[begun:]]


def _process(flow: Flow, status: Status) -> list[Event]:
    step = 1 if status == Status.STARTED else len(flow.steps)
    told = flow.process.told() if flow.process else []
    return [Event(flow.type, flow.process.id, step, one, *text) for one, text in told if flow.process and one == status]


def _eta(flow: Flow, number: int) -> list[Event]:
    if flow.minutes is None:
        return []
    left = math.ceil(flow.minutes * (len(flow.steps) - number + 1) / len(flow.steps))
    return [Event(flow.eta_type or flow.type, ETA, number, Status.RUNNING, _ETA_TITLE, str(left))]


def _results(flow: Flow) -> Event:
    return Event(flow.type, RESULTS, len(flow.steps) + 1, Status.COMPLETED, *flow.results, takes=0.1)


def _troubled(flow: Flow, events: list[Event], fault: Fault) -> list[Event]:
    """Apply what a fault does to the sending of events."""
    if fault.silent_from:
        last = flow.number_of(fault.silent_from)
        events = [event for event in events if event.step < last]
    if fault.reorder == "reverse":
        events = events[::-1]
    elif fault.reorder == "swap":
        events = [event for pair in zip(events[1::2], events[::2], strict=False) for event in pair] + (
            events[-1:] if len(events) % 2 else []
        )
    return [copy for event in events for copy in _copies(event, fault)]


def _copies(event: Event, fault: Fault) -> list[Event]:
    if fault.duplicate is None:
        return [event]
    again = Event(**{**vars(event), "takes": 0, "redelivered": fault.duplicate == "delivery"})
    return [event, again]
