"""Records the examples of the OpenAPI document: real requests and what was really answered, one of each operation.

`./deploy/run_tests.sh -n0 tests/surface/record_examples.py` writes `budapp/examples` anew; read the difference. Then
`.venv/bin/budapp openapi > docs/openapi.json`.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from budapp.commons.openapi import example_places
from tests.surface.published import described
from tests.surface.requests import Filled, fill
from tests.surface.surface import Surface
from tests.surface.tidying import Tidy

FOLDER = Path(__file__).resolve().parents[2] / "budapp" / "examples"

CALLERS = ("admin", "super_admin", "member", "client", "outsider", "sidecar", "nobody", "invited")
"""Who may be the one that succeeds, in the order in which they try."""

Examples = dict[str, dict[str, dict[str, Any]]]
"""Tag → operation id → `request` and `response`."""


@pytest.fixture(scope="module")
def recorded() -> Iterator[Examples]:
    """Where the examples go; they are written at the end."""
    found: Examples = defaultdict(dict)
    yield found
    for tag, examples in found.items():
        file = FOLDER / f"{tag.replace(' ', '_')}.json"
        earlier = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(earlier | examples, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


async def test_an_example_of_each_operation_is_recorded(surface: Surface, operation: str, recorded: Examples) -> None:
    document = described(operation)
    places = example_places(document) if document else {}
    if not places:
        return
    request, answer = await _success(surface, operation)
    tidy = Tidy()
    example = {"request": tidy(_sent(request)), "response": tidy(_received(answer))}
    recorded[document["tags"][0]][document["operationId"]] = {place: example[place] for place in places}


async def _success(surface: Surface, operation: str) -> tuple[Filled, httpx.Response]:
    for caller in CALLERS:
        things = surface.scene.here
        person = await surface.prepare(operation, caller, things)
        request = fill(operation, things)
        answer = await surface.send(request, caller, person)
        if answer.is_success:
            return request, answer
        await surface.restore()
    pytest.fail(f"nobody succeeds with {operation}")


def _sent(request: Filled) -> Any:
    if request.body is not None or request.files is None:
        return request.body
    texts = {name: content.decode(errors="replace") for name, (_, content) in request.files.items()}
    return {name: int(text) if text.isdecimal() else text for name, text in texts.items()}


def _received(answer: httpx.Response) -> Any:
    return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else None
