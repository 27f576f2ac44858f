"""From the key of a service account to the caller; for a warm one without a statement."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from budapp.api_key_ops import secrets
from budapp.api_key_ops.services import ApiKeys, note_uses
from budapp.commons.access import Caller
from budapp.commons.database import Database, WriteSession, now
from budapp.commons.errors import Unauthenticated
from budapp.commons.in_flight import InFlight
from budapp.commons.rate_limits import RateLimiter
from budapp.session_ops.last_used import LastUsed
from budapp.user_ops.callers import Callers
from budapp.user_ops.identity import caller_of

FAILURES = "10/minute"
"""How often a key that does not count may be looked up."""

_FOR_GOOD = timedelta(days=365)
_TRIED = "api_key"


class KeyUses(LastUsed):
    """When keys were last used at budapp itself; can be lost."""

    async def _store(self, session: WriteSession, uses: Mapping[str, datetime]) -> None:
        await note_uses(session, {UUID(key_id): at for key_id, at in uses.items()})


class KeyAuthenticator:
    """Finds the service account behind a key."""

    def __init__(
        self, database: Database, keys: ApiKeys, callers: Callers, limiter: RateLimiter, uses: KeyUses
    ) -> None:
        self._database = database
        self._keys = keys
        self._callers = callers
        self._limiter = limiter
        self._uses = uses
        self._lookups: InFlight[str, Caller] = InFlight()

    async def authenticate(self, key: str) -> Caller:
        """Return the service account.

        Raises:
            Unauthenticated: the key is mistyped, a person's, revoked or over, or the account is disabled.
            TooManyRequests: this key has been refused too often.
            Unavailable: PostgreSQL cannot be reached; or Valkey, for a key that is not known yet.
        """
        if not secrets.is_well_formed(key):
            raise Unauthenticated("This is no API key; is it mistyped?")
        if not secrets.is_of_service(key):
            raise Unauthenticated("A person's API key is for the gateway; sign in, or use a service account's key")
        hashed = secrets.lookup_hash(key)
        caller = self._callers.get(hashed) or await self._lookups.share(hashed, lambda: self._look_up(key, hashed))
        self._uses.note(str(caller.key_id))
        return caller

    async def _look_up(self, key: str, hashed: str) -> Caller:
        await self._limiter.check(FAILURES, _TRIED, hashed)
        asked_at = time.monotonic()
        async with self._database.read() as session:
            found = await self._keys.find_account(session, key)
        if found is None:
            await self._limiter.hit(FAILURES, _TRIED, hashed)
            raise Unauthenticated("The API key does not count, or no longer")
        row, credential, ends = found
        caller = caller_of(
            row.User,
            realm=row.realm_name,
            session_id="",
            token_expires_at=ends or now() + _FOR_GOOD,
            key_id=credential.id,
            networks=tuple(map(ip_network, credential.ip_whitelist or ())),
        )
        self._callers.put(hashed, caller, asked_at)
        return caller
