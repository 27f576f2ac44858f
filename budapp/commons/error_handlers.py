"""One place where exceptions become answers."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from budapp.commons.context import request_id
from budapp.commons.domain import components_of
from budapp.commons.errors import (
    AppError,
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
    Unavailable,
    UnprocessableContent,
    error_body,
)
from budapp.commons.hooks import Hook
from budapp.commons.integrity import cannot_hold, sqlstate_of
from budapp.commons.logging import get_logger
from budapp.commons.outages import dependency_of, unavailable

logger = get_logger(__name__)

after_refusal = Hook[Callable[[Request, str], Awaitable[None]]]("after a request is refused")
"""Called with each request that is answered 403, and the message."""

_BY_STATUS: dict[int, type[AppError]] = {
    error.status: error
    for error in (BadRequest, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, PayloadTooLarge)
}
FORESEEN: tuple[Any, ...] = (
    AppError,
    RequestValidationError,
    HTTPException,
    DBAPIError,
    PoolTimeout,
    RedisError,
    OSError,
)
"""The exceptions that `as_app_error` makes an answer of; all others are ours to mend."""

_TRANSIENT_CLASSES = ("40", "55", "57")
_OUTDATED_STATEMENT = "0A000"
"""A table has changed under a prepared statement; the next try prepares it anew."""


class _Problem(JSONResponse):
    """An error's body; what is no text at all, such as half a surrogate pair in a field's name, becomes `?`."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def error_response(error: AppError, instance: str) -> Response:
    """Return the answer for the error at the path."""
    return _Problem(error_body(error, instance, request_id.get()), status_code=error.status, headers=error.headers())


def as_app_error(error: Exception) -> AppError:
    """Return the outcome that the caller can understand for what a library raised."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code, AppError)
        return kind()
    if isinstance(error, DBAPIError):
        return _database_error(error)
    dependency = dependency_of(error)
    if dependency is None:
        logger.warning("input_or_output_failed", reason=repr(error))
        return Unavailable()
    return unavailable(dependency, None, error)


def _invalid(error: RequestValidationError) -> UnprocessableContent:
    found = error.errors()
    if found and found[0]["type"] == "json_invalid" and isinstance(found[0]["loc"][-1], int):
        return _no_json(found[0], str(error.body))  # the body as a whole: a field's place is its name
    errors = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in error.errors()]
    fields = [str(part) for part in errors[0]["loc"][1:]] if errors else []
    message = "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:]) or e['loc'][0]}: {e['msg']}" for e in errors[:5])
    return UnprocessableContent(message, param=".".join(fields) or None, errors=errors)


def _no_json(error: Mapping[str, Any], body: str) -> UnprocessableContent:
    """Say where the body stops being JSON."""
    before = body[: error["loc"][1]]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    reason = error.get("ctx", {}).get("error", error["msg"])
    message = f"The request body is not valid JSON at line {line}, column {column}: {reason}"
    about = {"loc": list(error["loc"]), "msg": message, "type": error["type"]}
    return UnprocessableContent(message, param="body", errors=[about])


def _database_error(error: DBAPIError) -> AppError:
    code = sqlstate_of(error)
    if cannot_hold(error):
        return UnprocessableContent("Some of what was sent can't be stored: a NUL character, or a number out of range")
    dependency = dependency_of(error)
    if dependency is not None:
        return unavailable(dependency, None, error.orig)
    if code.startswith(_TRANSIENT_CLASSES) or code == _OUTDATED_STATEMENT:
        logger.warning("statement_given_up", sqlstate=code, reason=repr(error.orig))
        return Unavailable()
    logger.error("statement_failed", sqlstate=code, reason=repr(error.orig))
    return AppError()


async def _handle(request: Request, error: Exception) -> Response:
    if isinstance(error, Forbidden):
        for record in components_of(request).hooks.all(after_refusal):
            await record(request, error.text)
    return error_response(as_app_error(error), request.url.path)


def install_error_handlers(app: FastAPI) -> None:
    """Have every foreseen exception answered with the one error body."""
    for kind in FORESEEN:
        app.add_exception_handler(kind, _handle)
