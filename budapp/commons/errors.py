"""The errors that services raise, and the one answer that clients read for all of them.

The body carries the members of RFC 9457 beside the ones that today's clients read
(`object`, `code`, `message`, `param`, `success`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field


class AppError(Exception):
    """An outcome the caller can understand and act on.

    Args:
        message: what happened and what to do, for a person; the class' own where absent.
        param: the field of the request that is meant.
    """

    status: ClassVar[int] = 500
    message: ClassVar[str] = "Internal server error"
    retry_after: int | None = None

    def __init__(self, message: str | None = None, *, param: str | None = None) -> None:
        self.text = message or self.message
        self.param = param
        super().__init__(self.text)

    @classmethod
    def kind(cls) -> str:
        """Return the error's machine-readable name, such as `not_found`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def headers(self) -> dict[str, str]:
        """Return the headers that go with the answer."""
        return {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}


class BadRequest(AppError):
    status = 400
    message = "The request can't be carried out"


class Unauthenticated(AppError):
    status = 401
    message = "Authentication required"

    def headers(self) -> dict[str, str]:
        """Name the scheme, as RFC 6750 asks."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(AppError):
    status = 403
    message = "Permission denied"


class NotFound(AppError):
    status = 404
    message = "Not found"


class MethodNotAllowed(AppError):
    status = 405
    message = "Method not allowed"

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        super().__init__()
        self.allowed = sorted(allowed)

    def headers(self) -> dict[str, str]:
        """Name the methods that the address takes, as RFC 9110 asks."""
        return {"Allow": ", ".join(self.allowed)}


class Conflict(AppError):
    status = 409
    message = "The request conflicts with an existing item"


class PayloadTooLarge(AppError):
    status = 413
    message = "The request body is too large"


class UnsupportedMediaType(AppError):
    status = 415
    message = "Unsupported file type"


class UnprocessableContent(AppError):
    """What was sent does not have the shape that was asked for."""

    status = 422
    message = "The request is not valid"

    def __init__(self, message: str | None = None, *, param: str | None = None, errors: Any = None) -> None:
        super().__init__(message, param=param)
        self.errors = errors or [{"loc": [param or "body"], "msg": self.text, "type": "value_error"}]


class TooManyRequests(AppError):
    status = 429
    message = "Too many requests; try again later"

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PeerFailed(AppError):
    """A service that we asked refused or gave nonsense."""

    status = 502
    message = "A service that budapp depends on failed"


class Unavailable(AppError):
    """A store or service that we need cannot be reached."""

    status = 503
    message = "The service is temporarily unavailable; try again later"
    retry_after = 5
    dependency: str | None = None
    """What does not answer, where its outage has been counted."""


class ErrorDetail(BaseModel):
    """One field that failed validation."""

    loc: list[str | int] = Field(
        description="The way to what is meant: `body`, `query` or `path`, then names, and numbers of elements from 0"
    )
    msg: str = Field(description="What is wrong, for a person")
    type: str = Field(description="Pydantic's name of the error, such as `missing`")


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    object: Literal["error"] = "error"
    success: Literal[False] = False
    code: int = Field(description="The HTTP status")
    message: str
    param: str | None = Field(default=None, description="The field of the request that is meant; null for none")
    type: str = Field(description="URN of the kind of error, such as `urn:bud:error:not_found`")
    title: str = Field(description="The kind of error, for a person")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="The same as `message`")
    instance: str = Field(description="The path of the request")
    request_id: str | None = None
    errors: list[ErrorDetail] | None = Field(default=None, description="What failed validation, field by field")


def error_body(error: AppError, instance: str, request_id: str | None) -> Mapping[str, Any]:
    """Return the answer's body for the error."""
    return ErrorBody(
        code=error.status,
        message=error.text,
        param=error.param,
        type=f"urn:bud:error:{error.kind()}",
        title=error.kind().replace("_", " ").capitalize(),
        status=error.status,
        detail=error.text,
        instance=instance,
        request_id=request_id,
        errors=getattr(error, "errors", None),
    ).model_dump(exclude_none=True) | {"param": error.param}
