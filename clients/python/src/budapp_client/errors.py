"""What goes wrong, as exceptions whose text can be shown to people as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx


class BudappError(Exception):
    """Anything that the client raises by itself."""


class NoAnswer(BudappError):
    """The service could not be reached, or broke off."""


@dataclass(frozen=True)
class Refused:
    """What an answer that is no success says (RFC 9457, and what budapp has beside it)."""

    status: int
    message: str
    param: str | None = None
    """The field that the message is about."""
    request_id: str | None = None
    """The request in the service's logs."""
    kind: str | None = None
    """Such as `urn:bud:error:not_found`."""
    errors: Sequence[Mapping[str, Any]] = ()
    """Where the request was not valid: place (`loc`) and reason (`msg`) of each fault."""
    retry_after: float | None = None
    """Seconds after which the same request may do better."""


class ApiError(BudappError):
    """The service answered that it does not do what was asked."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused

    @property
    def status(self) -> int:
        return self.refused.status

    @property
    def message(self) -> str:
        return self.refused.message

    @property
    def param(self) -> str | None:
        return self.refused.param

    @property
    def request_id(self) -> str | None:
        return self.refused.request_id

    @property
    def errors(self) -> Sequence[Mapping[str, Any]]:
        return self.refused.errors

    @property
    def retry_after(self) -> float | None:
        return self.refused.retry_after


class SignedOut(ApiError):
    """401: the token or the key does not count (any more); sign in again."""


class NotFound(ApiError):
    """404: it does not exist, or the caller may not see it."""


class WorkflowEnded(BudappError):
    """A workflow failed or was cancelled."""

    def __init__(self, workflow_id: str, status: str, reason: str | None) -> None:
        super().__init__(f"The workflow {'was cancelled' if status == 'cancelled' else 'failed'}{_because(reason)}")
        self.workflow_id = workflow_id
        self.status = status
        self.reason = reason


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


_KINDS: Mapping[int, type[ApiError]] = {401: SignedOut, 404: NotFound}


def error_of(response: httpx.Response) -> ApiError:
    """Return the exception for an answer, whose body has been read; it need not come from budapp itself."""
    try:
        body = response.json()
    except ValueError:
        body = None
    return _KINDS.get(response.status_code, ApiError)(_refused(response, body if isinstance(body, dict) else {}))


def _refused(response: httpx.Response, body: Mapping[str, Any]) -> Refused:
    wait = response.headers.get("retry-after", "")
    return Refused(
        status=response.status_code,
        message=str(
            body.get("message") or f"{response.url.host} answered {response.status_code} {response.reason_phrase}"
        ),
        param=body.get("param"),
        request_id=body.get("request_id") or response.headers.get("x-request-id"),
        kind=body.get("type"),
        errors=body.get("errors") or (),
        retry_after=float(wait) if wait.isdigit() else None,
    )
