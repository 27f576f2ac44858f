"""What belongs to the request (or event, job, command) being handled, wherever the code is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a change comes from.

    Args:
        source: `request`, `event`, `job`, `cli`, or `system` where nothing else is known.
        name: the event's type, or the name of the job or the command.
        ip_address: the client's address; behind a trusted proxy the one that the proxy names.
        user_agent: what the client says it is.
        scope: the request's ASGI scope, in which the caller appears once they are known.
    """

    source: str
    name: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    scope: Mapping[str, Any] | None = None

    @property
    def caller(self) -> Any:
        """The `Caller`, or None where nobody is signed in."""
        return self.scope.get("caller") if self.scope is not None else None


provenance: ContextVar[Provenance] = ContextVar("provenance", default=Provenance("system"))  # noqa: B039 - frozen


@contextmanager
def coming_from(where: Provenance) -> Iterator[None]:
    """Let what is done in the block come from there."""
    token = provenance.set(where)
    try:
        yield
    finally:
        provenance.reset(token)
