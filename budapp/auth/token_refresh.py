"""Renewing tokens when a client asks twice at once.

A refresh token counts once. Browsers with several tabs still send the same one at the same moment, so whoever asks
first asks Keycloak, and everyone who asks within a few seconds gets the same child. Later use is reuse.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from budapp.commons.encryption import Encryption
from budapp.commons.errors import Unauthenticated, Unavailable
from budapp.commons.logging import get_logger

logger = get_logger(__name__)

_PENDING_MILLISECONDS = 30_000
"""Longer than any renewal takes: a second one of the same token would look like reuse."""
_WAIT_SECONDS = 10
_POLL_SECONDS = 0.03
_PENDING = "pending"
_REFUSED = "refused"

Renew = Callable[[], Awaitable[dict[str, Any]]]


class TokenRefresh:
    """Lets one renewal a token through, whichever replica is asked, and shares its answer for a short while.

    One key holds all there is to know of a token: `pending`, then `refused` or the encrypted answer.
    """

    def __init__(self, valkey: Redis, encryption: Encryption, reuse_seconds: int) -> None:
        self._valkey = valkey
        self._encryption = encryption
        self._reuse_milliseconds = reuse_seconds * 1000

    async def once(self, refresh_token: str, renew: Renew) -> dict[str, Any]:
        """Return what `renew` returns, or returned a moment ago for the same token.

        Raises:
            Unauthenticated: the token was refused.
            Unavailable: Valkey cannot be reached before the renewal begins: without it one token could be renewed
                twice; or another request's renewal of this token takes too long, or failed.
        """
        key = f"refresh:{hashlib.sha256(refresh_token.encode()).hexdigest()}"
        try:
            is_first = await self._valkey.set(key, _PENDING, nx=True, px=_PENDING_MILLISECONDS)
        except (RedisError, OSError) as error:
            raise Unavailable from error
        return await (self._first(key, renew) if is_first else self._wait(key))

    async def _first(self, key: str, renew: Renew) -> dict[str, Any]:
        try:
            tokens = await renew()
        except Unauthenticated:
            await self._share(key, _REFUSED)
            raise
        except BaseException:
            await self._share(key, None)
            raise
        await self._share(key, self._encryption.encrypt(json.dumps(tokens), key))
        return tokens

    async def _share(self, key: str, answer: str | None) -> None:
        """Put the answer where others wait for it; the one who asked has it even where that fails."""
        try:
            if answer is not None and self._reuse_milliseconds:
                await self._valkey.set(key, answer, px=self._reuse_milliseconds)
            else:
                await self._valkey.delete(key)
        except (RedisError, OSError) as error:
            logger.warning("refresh_not_shared", reason=repr(error))

    async def _wait(self, key: str) -> dict[str, Any]:
        answer = await self._answer(key)
        if answer == _REFUSED:
            raise Unauthenticated("Sign in again")
        if answer is None:
            raise Unavailable
        tokens: dict[str, Any] = json.loads(self._encryption.decrypt(answer, key))
        return tokens

    async def _answer(self, key: str) -> str | None:
        """Return the answer as soon as it is there; None where the renewal failed or takes too long."""
        for _ in range(int(_WAIT_SECONDS / _POLL_SECONDS)):
            try:
                answer = await self._valkey.get(key)
            except (RedisError, OSError) as error:
                raise Unavailable from error
            if answer != _PENDING:
                return str(answer) if answer is not None else None
            await asyncio.sleep(_POLL_SECONDS)
        return None
