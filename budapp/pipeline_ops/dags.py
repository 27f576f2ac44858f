"""What a pipeline has to be before budpipeline is asked: small enough, and an order in which its steps can be done."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

MAX_STEPS = 200
MAX_BYTES = 256 * 1024
MAX_PARAMETER_BYTES = 64 * 1024
_SHOWN = 20


def problems(steps: list[Mapping[str, Any]]) -> list[str]:
    """Return why the steps can't be done, in words; nothing where they can. Each has `id`, `action`, `depends_on`."""
    return list(dict.fromkeys([*_of_steps(steps), *([CYCLE] if has_cycle(steps) else [])]))[:_SHOWN]


CYCLE = "The steps wait for each other in a circle; take one of the dependencies out"


def _of_steps(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    if not steps:
        yield "There is no step; add one"
    ids = Counter(step["id"] for step in steps)
    for number, step in enumerate(steps, 1):
        if not step["id"].strip():
            yield f"Step {number} has no id"
        if not (step["action"] or "").strip():
            yield f"Step {number} has no action"
        if ids[step["id"]] > 1:
            yield f"Step {number} has the id of another one"
        if any(other not in ids for other in step["depends_on"]):
            yield f"Step {number} depends on a step that is not there"


def has_cycle(steps: list[Mapping[str, Any]]) -> bool:
    """Tell whether some steps can never begin, as they wait for each other."""
    ids = {step["id"] for step in steps}
    waiting = {step["id"]: set(step["depends_on"]) & ids for step in steps}
    while ready := {step for step, others in waiting.items() if not others}:
        waiting = {step: others - ready for step, others in waiting.items() if step not in ready}
    return bool(waiting)
