"""Every error that clients can be answered."""

import importlib
import inspect
import json
from collections.abc import Iterator

from budapp.commons.errors import AppError, NotFound, error_body
from tests.reference.markdown import code, page, table

_LEAD = """
Every error response has such a body, with the members of RFC 9457 and a few of budapp's own. Programs go by `type`;
`message` is for people, and often says more than the text in the table. With 422, `errors` names each field that is not
valid. `request_id` finds the request in the log.
"""
_RETRY = """
Retry where there is a `Retry-After` (429 and 503), after that many seconds; a POST that creates something with the same
`Idempotency-Key`. A 502 may pass by itself too; all other errors stay until something else changes.
"""


def render() -> str:
    """Return the page."""
    importlib.import_module("budapp.main")
    every: set[type[AppError]] = {AppError, *_subclasses(AppError)}
    kinds = sorted(every, key=lambda kind: (kind.status, kind.kind()))
    rows = [[str(kind.status), code(f"urn:bud:error:{kind.kind()}"), kind.message, _meaning(kind)] for kind in kinds]
    heads = ["status", "`type`", "`message`, unless more is known", ""]
    return page("Errors", _LEAD, f"```json\n{_example()}\n```", table(heads, rows), _RETRY)


def _meaning(kind: type[AppError]) -> str:
    own = inspect.cleandoc(kind.__doc__ or "").splitlines()
    return own[0] if own and kind is not AppError else "A bug: the log has the traceback." if kind is AppError else ""


def _example() -> str:
    body = error_body(NotFound("Project not found"), "/v1/projects/0199a1b2-0000-7000-8000-000000000000", "a3f1c2")
    return json.dumps(body, indent=2)


def _subclasses(kind: type[AppError]) -> Iterator[type[AppError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("budapp."):
            yield child
            yield from _subclasses(child)
