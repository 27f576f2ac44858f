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
    """

    type: str
    steps: Sequence[Step]
    results: Text
    minutes: int | None = None
    eta_type: str | None = None

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
        takes: how much of the time of a step passes before it.
        redelivered: it is the event before it over again, to its time.
    """

    type: str
    event: str
    step: int
    status: Status
    title: str
    message: str
    takes: float = 0
    redelivered: bool = False

    @property
    def ends_step(self) -> bool:
        """Tell whether the work of the step is done before this is sent."""
        return self.status == Status.COMPLETED

    def content(self, result: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what the event says."""
        return {
            "title": self.title,
            "message": self.message,
            "status": self.status,
            "result": dict(result) if result is not None else None,
            "primary_action": "retry" if self.status == Status.FAILED else None,
            "secondary_action": None,
        }


def plan(flow: Flow, facts: Mapping[str, str], fault: Fault | None = None) -> list[Event]:
    """Return the events that work sends, in their order.

    Args:
        flow: the work.
        facts: what the placeholders in its texts stand for.
        fault: what goes wrong.
    """
    fault = fault or Fault()
    fails_at = flow.number_of(fault.fail_at) if fault.fail_at else None
    events: list[Event] = []
    for number, step in enumerate(flow.steps, 1):
        if number == fails_at:
            return _troubled(flow, [*events, *_failure(flow, number, step, facts, fault)], fault)
        events += _step(flow, number, step, facts)
    return _troubled(flow, [*events, _results(flow, facts)], fault)


def failed(flow: Flow, number: int, message: str, facts: Mapping[str, str]) -> Event:
    """Return the event of a step that has failed; it ends the work."""
    step = flow.steps[min(number, len(flow.steps)) - 1]
    title, text = step.failed
    words = {**facts, "error": message}
    return Event(flow.type, step.id, number, Status.FAILED, title.format_map(words), text.format_map(words))


def _step(flow: Flow, number: int, step: Step, facts: Mapping[str, str]) -> list[Event]:
    events = []
    for status, (title, message) in step.told():
        takes = 0 if status == Status.STARTED else 1 / len([1 for other, _ in step.told() if other != Status.STARTED])
        told = Event(flow.type, step.id, number, status, title.format_map(facts), message.format_map(facts), takes)
        events.append(told)
    eta = _eta(flow, number)
    return [*events[:1], *eta, *events[1:]] if step.started else [*eta, *events]


def _failure(flow: Flow, number: int, step: Step, facts: Mapping[str, str], fault: Fault) -> list[Event]:
    begun = [event for event in _step(flow, number, step, facts) if event.status != Status.COMPLETED]
    return [*begun, failed(flow, number, fault.message, facts)]


def _eta(flow: Flow, number: int) -> list[Event]:
    if flow.minutes is None:
        return []
    left = math.ceil(flow.minutes * (len(flow.steps) - number + 1) / len(flow.steps))
    return [Event(flow.eta_type or flow.type, ETA, number, Status.RUNNING, _ETA_TITLE, str(left))]


def _results(flow: Flow, facts: Mapping[str, str]) -> Event:
    title, message = flow.results
    return Event(flow.type, RESULTS, len(flow.steps) + 1, Status.COMPLETED, title, message.format_map(facts), takes=0.1)


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
