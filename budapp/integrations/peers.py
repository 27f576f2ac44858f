"""The words of all calls of other services: what is called, and how those answer that go on to work by themselves."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

Json = dict[str, Any]

T = TypeVar("T", bound=BaseModel)


class Reply(BaseModel):
    """A part of what a service says; it may say more than is read."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class StepAnswer(Reply):
    """A step that the service is going to take."""

    id: str
    title: str = ""
    description: str = ""


class WorkAnswer(Reply):
    """What a service answers when it is asked to work; `eta` is in minutes."""

    workflow_id: str
    steps: list[StepAnswer]
    status: str | None = None
    eta: int | None = None


class PipelineAnswer(WorkAnswer):
    """What budpipeline answers: its name of the work, and no steps, as we have named those ourselves."""

    workflow_id: str = Field(validation_alias=AliasChoices("execution_id", "workflow_id"))
    steps: list[StepAnswer] = []


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a service tells how its work goes: which workflow of ours, whose, and on which topics."""

    workflow_id: str
    user_id: str
    topics: Sequence[str]


@dataclass(frozen=True, slots=True)
class PeerCall:
    """A call of another service, for `DaprClient.invoke` or for the outbox.

    Attributes:
        app_id: a `Peer`.
        method: the HTTP method.
        path: the service's path, with its query where there is one.
        json: the body.
        part: the field of a multipart body that carries `json`, where the service takes a form.
        files: the files of that form: field → name, content, media type.
        address: what the body says of whom the service tells, where that is not in the common words.
        answer: how the service answers when it is asked to work.
    """

    app_id: str
    method: str
    path: str
    json: Json | None = field(default=None, repr=False)
    part: str | None = None
    files: Mapping[str, tuple[str, bytes, str]] = field(default_factory=dict, repr=False)
    address: Callable[[Addressee], Json] | None = None
    answer: type[WorkAnswer] = WorkAnswer


def read(schema: type[T], answer: Any) -> tuple[T, Json]:
    """Return the answer as the schema has it, and by their paths the members that are not what the schema expects.

    Such members count as not said, if they need not be: what is odd about an answer costs nothing but itself.

    Raises:
        ValidationError: a member that must be there is missing, or not what it should be.
    """
    answer = deepcopy(answer)
    odd: Json = {}
    while True:
        try:
            return schema.model_validate(answer), odd
        except ValidationError as error:
            places = {_place(answer, problem["loc"]) for problem in error.errors(include_url=False)}
            if () in places:
                raise
            for place in sorted(places, key=_last_first, reverse=True):
                odd[".".join(map(str, place))] = _take_out(answer, place)


def _place(answer: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the way to what is wrong, as far as there is something: for what is missing, to what lacks it."""
    for depth, step in enumerate(location):
        inside = isinstance(answer, list) and isinstance(step, int) and 0 <= step < len(answer)
        if not inside and not (isinstance(answer, dict) and step in answer):
            return location[:depth]
        answer = answer[step]
    return location


def _last_first(place: tuple[int | str, ...]) -> tuple[tuple[int, str], ...]:
    """Order places such that the later of two elements of a list is taken out before the earlier one moves up."""
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in place)


def _take_out(answer: Any, place: tuple[int | str, ...]) -> Any:
    *way, last = place
    for step in way:
        answer = answer[step]
    return answer.pop(last)
