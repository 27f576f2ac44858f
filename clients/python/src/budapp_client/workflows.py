"""Workflows: what another service works on, step by step."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import attrs

from budapp_client.connection import Budapp, answer
from budapp_client.errors import BudappError, WorkflowEnded
from budapp_client.rest.api.workflows import workflows_get
from budapp_client.rest.models import StepList, WorkflowRetrieved, WorkflowSteps
from budapp_client.rest.models.step_progress import StepProgress

_SOONEST_SECONDS = 0.2
_LATEST_SECONDS = 5.0


@dataclass(frozen=True)
class Step:
    """One of the steps that the other service works through."""

    title: str
    status: str
    """`PENDING`, `STARTED`, `COMPLETED`, `FAILED`, as the service tells."""
    message: str | None


@dataclass(frozen=True)
class Progress:
    """How far a workflow is."""

    workflow: WorkflowRetrieved
    steps: tuple[Step, ...]
    eta_minutes: int | None

    @property
    def is_over(self) -> bool:
        return self.workflow.status != "in_progress"


OnProgress = Callable[[Progress], None]


def watch(api: Budapp, workflow_id: UUID | str, seconds: float | None = None) -> Iterator[Progress]:
    """Return the workflow's progress now, and each time it has changed, until it is over.

    Raises:
        BudappError: it is not over after so many seconds.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    last: Progress | None = None
    pause = _SOONEST_SECONDS
    while True:
        progress = progress_of(answer(workflows_get.sync(UUID(str(workflow_id)), client=api)))
        if progress != last:
            yield progress
            last, pause = progress, _SOONEST_SECONDS
        if progress.is_over:
            return
        if deadline is not None and time.monotonic() + pause > deadline:
            raise BudappError(f"The workflow {workflow_id} is still in progress after {seconds:g} s")
        time.sleep(pause)
        pause = min(pause * 1.5, _LATEST_SECONDS)


def wait_for(
    api: Budapp,
    workflow_id: UUID | str,
    on_progress: OnProgress | None = None,
    seconds: float | None = None,
) -> WorkflowRetrieved:
    """Return the workflow when it is completed.

    Raises:
        WorkflowEnded: it failed, or was cancelled.
        BudappError: it is not over after so many seconds.
    """
    found = None
    for progress in watch(api, workflow_id, seconds):
        found = progress.workflow
        if on_progress:
            on_progress(progress)
    workflow = answer(found)
    if workflow.status != "completed":
        raise WorkflowEnded(str(workflow_id), workflow.status, workflow.reason)
    return workflow


def progress_of(workflow: WorkflowRetrieved) -> Progress:
    """Return what the workflow says of its steps; where several services worked on it, one after the other."""
    lists = _lists(workflow.workflow_steps)
    etas = [found.eta for found in lists if isinstance(found.eta, int)]
    steps = tuple(_step(step) for found in lists for step in found.steps or [])
    return Progress(workflow, steps, etas[-1] if etas else None)


def _lists(steps: WorkflowSteps) -> list[StepList]:
    found: list[StepList] = []
    for field in attrs.fields(WorkflowSteps):
        value = getattr(steps, field.name)
        if isinstance(value, StepList) and value not in found:  # some are there under two names
            found.append(value)
    return found


def _step(step: StepProgress) -> Step:
    content = step.payload.to_dict().get("content") or {}
    return Step(step.title, str(content.get("status") or "PENDING"), content.get("message"))
