"""What a list is asked to leave out, it leaves out, whatever the filter.

The filters are read off the OpenAPI document. Each is given what nothing has, or one after the other all that it takes:
something must be missing then that is listed without it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.failures import failures
from tests.surface.matrix import succeeds
from tests.surface.requests import Filled, fill
from tests.surface.routes import ROUTES, Location, alternatives, document
from tests.surface.surface import Surface, with_value

CALLING = ("super_admin", "admin", "member", "client")
"""Who may see something in a list, by turns."""

ASKED = {"GET /models/": {"table_source": "model"}}
"""List → with what it is asked to have something that can be left out."""

ELSEWHERE = {
    "GET /audit/records": "tests/audit: it grows with each request",
    "GET /dataset": "tests/datasets",
    "GET /guardrails/probes/tags": "tests/guardrails",
    "GET /guardrails/profiles/tags": "tests/guardrails",
    "GET /icons": "tests/models",
    "GET /models/authors": "tests/models",
    "GET /models/catalog": "tests/catalog",
    "GET /models/quantization-methods": "tests/quantization",
    "GET /models/tags": "tests/models",
    "GET /models/tasks": "tests/models",
    "GET /roles/{role_id}/users": "tests/roles",
    "GET /templates": "tests/commons",
}
"""Lists that have nothing in the scene that stays the same, each with where their filters are tested."""

_NEEDS_A_PROMPT = "chooses among the connectors of a prompt: tests/connectors"
NO_FILTERS = {
    ("GET /benchmark/filters", "query:cluster_name"): "is for the names of clusters, and the scene asks for models",
    ("GET /connectors/configured", "query:include_disabled"): "adds to the list; none is turned off",
    ("GET /experiments/datasets", "query:has_gen_eval_type"): "all have it: tests/evaluation_datasets",
    ("GET /guardrails/probes", "query:status"): "chooses, active ones by default: tests/guardrails",
    ("GET /models/", "query:exclude_adapters"): "there is none: tests/models",
    ("GET /prompts", "query:prompt_type"): "there is just one",
    ("GET /prompts/connectors", "query:version"): _NEEDS_A_PROMPT,
    ("GET /prompts/connectors", "query:is_registered"): _NEEDS_A_PROMPT,
}
"""Places of a query that leave nothing out in the scene, each with the reason."""

FAR = ("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
TEXTS = ("nothing-like-this", "987654321")


def values_for(schema: Any) -> Iterator[Any]:
    """Yield values that the schema allows, of which one at least should leave something out."""
    for part in alternatives(schema):
        if "enum" in part:
            yield from part["enum"]
        elif part.get("type") == "array":
            yield from ([value] for value in values_for(part["items"]))
        elif part.get("type") == "boolean":
            yield from ("true", "false")
        elif part.get("type") in ("integer", "number"):
            yield from (part.get("minimum", 0), part.get("maximum", 10**6))
        elif part.get("format") == "uuid":
            yield str(uuid4())
        elif part.get("format") == "date-time":
            yield from FAR
        elif part.get("type") == "string":
            yield next(text for text in TEXTS if re.search(part.get("pattern", ""), text))


def listed(answer: httpx.Response) -> set[str]:
    """Return what is in the list, by id where there is one; nothing where what a filter names is missing."""
    if answer.status_code == 404:
        return set()
    assert answer.is_success, answer.text
    items = [item for value in answer.json().values() if isinstance(value, list) for item in value]
    return {str(item["id"]) if isinstance(item, dict) and "id" in item else json.dumps(item) for item in items}


def says_how(operation: str) -> set[str]:
    """Return the names in the query that are no filters."""
    filters = document().filters(operation)
    return {
        str(place.keys[0])
        for place in document().locations(operation)
        if place.part == "query" and place not in filters
    }


async def whoever_sees_something(surface: Surface, request: Filled, operation: str) -> tuple[str, set[str]]:
    """Return who it is, and what they see; the last one sees nothing where nobody does."""
    everything: set[str] = set()
    callers = [caller for caller in CALLING if succeeds(operation, caller)]
    for caller in callers:
        everything = listed(await surface.send(request, caller))
        if everything:
            return caller, everything
    return callers[-1], everything


async def leaves_out(surface: Surface, request: Filled, caller: str, place: Location, everything: set[str]) -> bool:
    """Tell whether something is missing with one of the values that the filter takes."""
    for value in values_for(place.schema):
        if everything - listed(await surface.send(with_value(request, place, value), caller)):
            return True
    return False


@pytest.mark.parametrize("search", ["true", "false"])
async def test_each_filter_leaves_something_out(surface: Surface, filtered: str, search: str) -> None:
    if filtered in ELSEWHERE:
        pytest.skip(ELSEWHERE[filtered])
    things = surface.scene.here
    await surface.prepare(filtered, "super_admin", things)
    request, more = fill(filtered, things), {"limit": "100", "search": search, **ASKED.get(filtered, {})}
    for name, value in more.items():
        if name in ASKED.get(filtered, ()) or name in says_how(filtered):
            request = with_value(request, Location("query", (name,), {}), value)
    caller, everything = await whoever_sees_something(surface, request, filtered)
    assert everything, "put something of the kind into the scene"
    with failures() as failed:
        for place in document().filters(filtered):
            if (filtered, str(place)) not in NO_FILTERS:
                with failed(str(place)):
                    assert await leaves_out(surface, request, caller, place, everything)


def test_every_exception_is_still_a_filter() -> None:
    assert {*ELSEWHERE, *ASKED} <= set(ROUTES)
    for operation, place in NO_FILTERS:
        assert place in map(str, document().filters(operation))
