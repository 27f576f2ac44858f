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

_LOCK_MILLISECONDS = 15_000
_POLL_SECONDS = 0.03
_REFUSED = "refused"

Renew = Callable[[], Awaitable[dict[str, Any]]]


class Refreshing:
    """Lets one renewal a token through, whichever replica is asked, and shares its answer for a short while."""

    def __init__(self, valkey: Redis, encryption: Encryption, reuse_seconds: int) -> None:
        self._valkey = valkey
        self._encryption = encryption
        self._reuse_milliseconds = reuse_seconds * 1000

    async def once(self, refresh_token: str, renew: Renew) -> dict[str, Any]:
        """Return what `renew` returns, or returned a moment ago for the same token.

        Raises:
            Unauthenticated: the token was refused.
            Unavailable: Valkey cannot be reached: without it one token could be renewed twice.
        """
        key = f"refresh:{hashlib.sha256(refresh_token.encode()).hexdigest()}"
        try:
            if await self._valkey.set(f"{key}:lock", "1", nx=True, px=_LOCK_MILLISECONDS + self._reuse_milliseconds):
                return await self._first(key, renew)
            return await self._wait(key)
        except (RedisError, OSError) as error:
            raise Unavailable from error

    async def _first(self, key: str, renew: Renew) -> dict[str, Any]:
        try:
            tokens = await renew()
        except Unauthenticated:
            await self._valkey.set(key, _REFUSED, px=max(self._reuse_milliseconds, 1))
            raise
        except BaseException:
            await self._valkey.delete(f"{key}:lock")
            raise
        sealed = self._encryption.encrypt(json.dumps(tokens), key)
        if self._reuse_milliseconds:
            await self._valkey.set(key, sealed, px=self._reuse_milliseconds)
        await self._valkey.pexpire(f"{key}:lock", max(self._reuse_milliseconds, 1))
        return tokens

    async def _wait(self, key: str) -> dict[str, Any]:
        for _ in range(int(_LOCK_MILLISECONDS / 1000 / _POLL_SECONDS)):
            answer, locked = await self._valkey.mget(key, f"{key}:lock")
            if answer == _REFUSED:
                raise Unauthenticated("Sign in again")
            if answer is not None:
                tokens: dict[str, Any] = json.loads(self._encryption.decrypt(str(answer), key))
                return tokens
            if locked is None:
                break
            await asyncio.sleep(_POLL_SECONDS)
        raise Unavailable
