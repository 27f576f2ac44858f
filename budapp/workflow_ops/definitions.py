"""What a type of workflow declares, in the `workflows.py` of the domain that owns it. Nothing here names a type."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.scopes import Scope
from budapp.events.notify import Target
from budapp.integrations.peers import Json, PeerCall, StepAnswer
from budapp.workflow_ops.models import Workflow
from budapp.workflow_ops.step_views import StepObjects, View

Hydrator = Callable[[ReadSession, UUID, Json], Awaitable[StepObjects]]
"""From a tenant and what the steps say to the objects that they name."""


@dataclass(slots=True)
class Run:
    """A workflow, locked, with what all its steps say so far.

    Attributes:
        workflow: its row; `check` may set title, icon and tag.
        data: the merged data of the steps.
        posted: what this request says; what `check` adds is stored in the same step.
        triggered: whether this request triggers, or tries again what was triggered.
    """

    workflow: Workflow
    data: Json
    posted: Json = field(default_factory=dict)
    triggered: bool = False

    def keep(self, **derived: Any) -> None:
        """Store more in the posted step."""
        self.posted.update(derived)
        self.data.update(derived)


@dataclass(frozen=True, slots=True)
class Notice:
    """What the user is told when the workflow is done."""

    type: str
    title: str
    message: str
    target: tuple[Target, UUID] | None = None
    icon: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the task.

    Attributes:
        steps: data for the steps that follow.
        notice: what the user is told.
        result: what a caller's topic is told.
        here: data for the step that has the list.
    """

    steps: Sequence[Json] = ()
    notice: Notice | None = None
    result: Json = field(default_factory=dict)
    here: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Events:
    """The events by which a service tells how its work goes.

    Attributes:
        key: the name of the list of steps among the workflow's steps.
        type: the type of the events.
        steps: what the list holds where the service's answer was lost.
        also: other types that the service uses for some of them.
        shown_as: the type that the browser waits for, where it is another one.
        in_same_step: whether the list is kept in the step that triggered, rather than the next one.
        steps_for: what the list holds, where that depends on what the steps say.
    """

    key: str
    type: str
    steps: Sequence[StepAnswer]
    also: Sequence[str] = ()
    shown_as: str | None = None
    in_same_step: bool = False
    steps_for: Callable[[Json], Sequence[StepAnswer]] | None = None

    def own_steps(self, data: Json) -> list[StepAnswer]:
        """Return what the list holds where the service's answer was lost."""
        return list(self.steps_for(data) if self.steps_for is not None else self.steps)

    def types(self) -> list[str]:
        """Return all types."""
        return [self.type, *self.also]


async def nothing_to_check(_session: WriteSession, _caller: Caller, _run: Run) -> None:
    """Let everything be posted."""


async def nothing_to_do(_session: WriteSession, _run: Run) -> None:
    """Leave everything as it is."""


async def name_nothing(_session: ReadSession, _tenant_id: UUID, _data: Json) -> StepObjects:
    """Show nothing but what the steps say."""
    return {}


def _when_triggered(_posted: Json, triggered: bool) -> bool:
    return triggered


def _always(_data: Json) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Task:
    """What another service is asked to do.

    Attributes:
        needs: what the steps must have said.
        request: whom to ask for what. Without `events` the answer is the result, and asking twice must do no harm.
        results: makes of the result what the workflow is for, in a transaction that is lost as a whole when it raises;
            a `ValidationError` or an `AppError` fails the workflow with that reason.
        events: how the service tells what it does; None where its answer is all.
        cancel: the call that ends the service's work, by the service's id of it.
        undo: takes back what the service did for a result that nobody wants any more.
        name: tells the tasks of a type apart.
        begins: whether a step that says this, and triggers or not, has the task done.
        applies: whether the task is one for a workflow whose steps say all this.
        completes: whether the workflow is complete with it; if not, more steps follow.
        optional: whether it goes on, with None for the answer, where the service fails.
    """

    needs: Sequence[str]
    request: Callable[[ReadSession, Run], Awaitable[PeerCall | None]]
    results: Callable[[WriteSession, Run, Any], Awaitable[Outcome]]
    events: Events | None = None
    cancel: Callable[[str], PeerCall] | None = None
    undo: Callable[[WriteSession, Run, Any], Awaitable[None]] | None = None
    name: str = "main"
    begins: Callable[[Json, bool], bool] = _when_triggered
    applies: Callable[[Json], bool] = _always
    completes: bool = True
    optional: bool = False

    def missing(self, data: Json) -> list[str]:
        """Return the names of what the task needs and the steps have not said."""
        return [name for name in self.needs if data.get(name) in (None, "")]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a step would come to: the task, what it lacks, and the call of a service, if there is one."""

    task: str | None
    missing: Sequence[str]
    call: PeerCall | None


@dataclass(frozen=True, slots=True)
class Definition:
    """A type of workflow.

    Attributes:
        type: its name on the wire and in the database.
        scope: what a caller must hold to trigger it; the domain's route asks for it, and so does a retry.
        in_project: whether the scope may be held in a project alone; `check` then sees to it.
        internal: whether it is left out of the lists of what people have begun.
        title: shown until `check` knows a better one.
        tag: stands beside the title.
        tasks: what is done for it; a step begins the first of them that says so.
        fields: the names of what its steps can say.
        shows: the fields of its steps that browsers read.
        unshown: what its steps keep and browsers do not read, at least not under that name.
        name_objects: finds the objects that its steps name, such as `model` for `model_id`.
        check: looks at what was posted; raises an `AppError` where it must not be, and nothing is stored then.
        cancelled: what somebody who cancels it is answered.
        refusal: the message when the service refuses and does not say why.
        keeps_draft: whether it stays open for another try when the service refuses, or fails.
        tells_failures: whether who it belongs to hears that it failed.
        accepted: is called once a service has begun to work on a task, so that what waited for it can go.
        abandoned: is called where it ends without its results: it has failed, was cancelled or given up. A retry asks
            `check` again, and the task.
    """

    type: str
    scope: Scope
    title: str
    tag: str | None
    tasks: Sequence[Task]
    fields: Collection[str]
    shows: View
    unshown: Collection[str] = ()
    name_objects: Hydrator = name_nothing
    check: Callable[[WriteSession, Caller, Run], Awaitable[None]] = nothing_to_check
    cancelled: str = "Workflow deleted successfully"
    refusal: str = "The service that was asked refused"
    keeps_draft: bool = True
    tells_failures: bool = True
    accepted: Callable[[WriteSession, Run], Awaitable[None]] = nothing_to_do
    abandoned: Callable[[WriteSession, Run], Awaitable[None]] = nothing_to_do
    in_project: bool = False
    internal: bool = False

    def task(self, name: str) -> Task:
        """Return the task of this name."""
        return next(task for task in self.tasks if task.name == name)

    def check_declared(self, names: Iterable[str]) -> None:
        """Raise `ValueError` where a step would keep what is neither shown nor declared as unshown."""
        undeclared = sorted(set(names) - self.shows.model_fields.keys() - set(self.unshown))
        if undeclared:
            raise ValueError(f"{self.type} keeps {', '.join(undeclared)} and declares neither to show it nor not to")

    def begun_by(self, run: Run) -> Task | None:
        """Return the task that a step has done, if any."""
        tasks = (task for task in self.tasks if task.begins(run.posted, run.triggered) and task.applies(run.data))
        return next(tasks, None)


class Definitions:
    """All types of workflows, given when the service is put together.

    Raises:
        ValueError: two have the same name; or a step, or a list of events, of one has a name that it does not declare.
    """

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._by_type: dict[str, Definition] = {}
        for definition in definitions:
            if definition.type in self._by_type:
                raise ValueError(f"Two workflow types are named {definition.type}")
            lists = {task.events.key for task in definition.tasks if task.events}
            definition.check_declared({*definition.fields, *lists})
            self._by_type[definition.type] = definition

    def views(self) -> list[View]:
        """Return what all types show."""
        return [definition.shows for definition in self._by_type.values()]

    def of(self, type: str) -> Definition:
        """Return the definition of a type that is known."""
        return self._by_type[type]

    def event_types(self) -> set[str]:
        """Return the types of all events that some workflow waits for."""
        found = (task.events for definition in self._by_type.values() for task in definition.tasks)
        return {name for events in found if events for name in events.types()}
