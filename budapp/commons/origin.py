"""Where a request comes from."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

_MAX_USER_AGENT_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Origin:
    """The address of the client (behind a proxy of `TRUSTED_PROXIES`, the one that it names), and its `User-Agent`."""

    address: str | None
    user_agent: str | None


def origin_of(request: Request) -> Origin:
    """Return where the request comes from; nothing of it is proven."""
    user_agent = "".join(letter for letter in request.headers.get("user-agent", "") if letter.isprintable())
    return Origin(request.client.host if request.client else None, user_agent[:_MAX_USER_AGENT_LENGTH] or None)


OriginDep = Annotated[Origin, Depends(origin_of)]
