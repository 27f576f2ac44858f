"""What a command says where it fails: what went wrong, and what to do next."""

from dataclasses import dataclass

from budapp_client.errors import ApiError, BudappError, NoAnswer, NotFound, SignedOut, WorkflowEnded

_FAILED, _NOT_SIGNED_IN, _NOT_FOUND, _NO_ANSWER, _WORKFLOW_FAILED = 1, 3, 4, 5, 6
_FORBIDDEN, _TOO_MANY = 403, 429
_UNPROCESSABLE = 422
_FIRST_OF_SERVER = 500


_ADVICE: dict[type[BudappError], tuple[str, int]] = {
    SignedOut: ("budctl login ADDRESS, or another BUDCTL_TOKEN", _NOT_SIGNED_IN),
    NotFound: ("the command `list` shows what you may see", _NOT_FOUND),
    NoAnswer: ("check the address and the network, and try again", _NO_ANSWER),
}


@dataclass(frozen=True)
class Failure:
    """What is printed, and the exit code."""

    text: str
    code: int


class NotSignedIn(BudappError):
    """There is no session for the address."""

    def __init__(self, address: str | None = None) -> None:
        super().__init__(f"You are not signed in{f' at {address}' if address else ''}")
        self.address = address


class CommandFailed(BudappError):
    """Something is wrong that only the command knows."""

    def __init__(self, message: str, hint: str, code: int = _FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def failure_of(error: Exception) -> Failure | None:
    """Return what to tell the user, or None where the error is a fault of budctl's own."""
    if isinstance(error, OSError) and error.filename:
        return Failure(_told(f"{error.filename}: {error.strerror}", "check its name and who may use it"), _FAILED)
    if not isinstance(error, BudappError):
        return None
    hint, code = _advice(error)
    return Failure(_told(_message(error), hint), code)


def _told(message: str, hint: str | None) -> str:
    return f"budctl: {message}" + (f"\nNext: {hint}" if hint else "")


def _message(error: BudappError) -> str:
    if not isinstance(error, ApiError):
        return str(error)
    facts = [str(error.status), *([f"field {error.param}"] if error.param else [])]
    facts += [f"request {error.request_id}"] if error.request_id else []
    places = [
        f"\n  {'.'.join(str(part) for part in fault.get('loc', ()))}: {fault.get('msg')}" for fault in error.errors
    ]
    return f"{error.message} ({', '.join(facts)}){''.join(places)}"


def _advice(error: BudappError) -> tuple[str | None, int]:
    if isinstance(error, CommandFailed):
        return error.hint, error.code
    if isinstance(error, NotSignedIn):
        return f"budctl login {error.address or 'ADDRESS'}", _NOT_SIGNED_IN
    if isinstance(error, WorkflowEnded):
        return f"budctl watch {error.workflow_id} shows its steps", _WORKFLOW_FAILED
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            return advice
    return (_advice_on(error) if isinstance(error, ApiError) else None), _FAILED


def _advice_on(error: ApiError) -> str | None:
    if error.status == _FORBIDDEN:
        return "ask an administrator for the permission"
    if error.status == _UNPROCESSABLE:
        return "correct it; the command's --help says what it takes"
    if error.status == _TOO_MANY or error.status >= _FIRST_OF_SERVER:
        wait = f"in {error.retry_after:g} s" if error.retry_after else "in a minute"
        return f"try again {wait}; if that does not help, tell the operator the request's id"
    return None
