"""How often somebody may try to sign in.

What is counted are failures, and each beyond the first few makes the next try wait longer. They are counted apart for
each browser that an account is used in, for each address that it is used from, and for all strangers together: so
nobody who guesses can keep the account's owner out. What strangers get wrong counts for their address as well.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from prometheus_client import Counter
from redis.asyncio import Redis

from budapp.commons.config import Settings
from budapp.commons.errors import Unavailable
from budapp.commons.logging import get_logger
from budapp.commons.origin import Origin
from budapp.commons.rate_limits import FailureLimiter, Pauses

logger = get_logger(__name__)

SIGN_INS = Counter("budapp_sign_ins", "Tries to sign in with a password, by how they ended", ["outcome"])
_OUTCOMES = {True: "succeeded", False: "failed", None: "undecided"}

Familiarity = Literal["browser", "address", "stranger"]


@dataclass(slots=True)
class Try:
    """A try to sign in; set `succeeded` once it is known whether it did."""

    succeeded: bool | None = None


class SignInLimits:
    """The pauses after failed sign-ins."""

    def __init__(self, settings: Settings, valkey: Redis) -> None:
        self._settings = settings
        pauses = Pauses(settings.login_pause_seconds, settings.login_longest_pause_seconds, forgotten_after=3600)
        self._limiter = FailureLimiter(valkey, pauses)

    @asynccontextmanager
    async def trying(
        self, tenant: UUID | str, email: str, origin: Origin, familiarity: Familiarity
    ) -> AsyncIterator[Try]:
        """Let a try through, and count it where it failed.

        One that ends before it is known whether it `succeeded`, as when Keycloak is down, counts for nobody.

        Args:
            tenant: whose account it is; a text where there is no such tenant.
            email: the account's.
            origin: where the request comes from.
            familiarity: what the account has been used in or from before: this browser at this address, this address,
                or neither.

        Raises:
            TooManyRequests: it failed too often; says when to come back.
            Unavailable: Valkey is down.
        """
        account = _account_key(tenant, email, origin, familiarity)
        address = f"address:{origin.address}" if familiarity == "stranger" else None
        free = {account: self._settings.login_free_failures}
        if address is not None:
            free[address] = self._settings.login_free_failures_of_address
        await self._limiter.begin(free)
        trying = Try()
        try:
            yield trying
        finally:
            SIGN_INS.labels(_OUTCOMES[trying.succeeded]).inc()
            if trying.succeeded is not False:
                await self._take_back(account if trying.succeeded else None, free)

    async def _take_back(self, forget: str | None, counted: Iterable[str]) -> None:
        try:
            await self._limiter.take_back(counted, forget=forget)
        except Unavailable:
            logger.warning("sign_in_counted_as_failed")


def _account_key(tenant: UUID | str, email: str, origin: Origin, familiarity: Familiarity) -> str:
    who = f"account:{tenant}:{email}"
    if familiarity == "stranger":
        return who
    if familiarity == "address":
        return f"{who}:{origin.address}"
    browser = hashlib.sha256((origin.user_agent or "").encode()).hexdigest()[:16]
    return f"{who}:{origin.address}:{browser}"
