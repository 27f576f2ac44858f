"""The list of steps that a service works through: made from its answer, ticked off by its events.

Lists are plain JSON, as they are stored and shown. Every function returns a new list, or None where nothing changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from budapp.integrations.peers import Json, WorkAnswer

_RANKS = {"STARTED": 1, "RUNNING": 2, "COMPLETED": 3, "FAILED": 3}


def make_list(answer: WorkAnswer, correlation_id: str) -> Json:
    """Return the list with nothing ticked.

    Browsers take to be theirs what bears the workflow's id or the list's, so the list bears the attempt's.
    """
    steps = [{**step.model_dump(), "payload": {}} for step in answer.steps]
    return {
        "object": "workflow_metadata",
        "workflow_id": correlation_id,
        "status": answer.status,
        "eta": answer.eta,
        "steps": steps,
    }


def tick(found: Mapping[str, Any], event: str, payload: Json) -> Json | None:
    """Return the list with the event's payload in its step, unless the step is that far or further already."""
    steps: Sequence[Json] = found["steps"]
    if not any(step["id"] == event and _rank(payload) > _rank(step["payload"]) for step in steps):
        return None
    return {**found, "steps": [{**step, "payload": payload} if step["id"] == event else step for step in steps]}


def with_eta(found: Mapping[str, Any], minutes: int) -> Json:
    """Return the list with the minutes that are left."""
    return {**found, "eta": minutes}


def unfinished(found: Mapping[str, Any]) -> str | None:
    """Return the id of the first step that has not ended, if any."""
    return next((step["id"] for step in found["steps"] if _rank(step["payload"]) < _RANKS["FAILED"]), None)


def _rank(payload: Mapping[str, Any]) -> int:
    content = payload.get("content") or {}
    return _RANKS.get(str(content.get("status") or "").upper(), 0)
