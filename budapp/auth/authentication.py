"""From an access token to the caller, without asking Keycloak and, for a warm caller, without a statement."""

import time
from uuid import UUID

from budapp.auth import crud
from budapp.auth.tokens import TokenVerifier
from budapp.commons.access import Caller
from budapp.commons.database import Database
from budapp.commons.errors import NotFound, Unauthenticated
from budapp.commons.in_flight import InFlight
from budapp.service_account_ops.authentication import KeyAuthenticator
from budapp.session_ops.last_used import LastUsed
from budapp.user_ops.callers import Callers

_KEY = "bud_"
"""How keys begin, which no access token does."""


class JwtAuthenticator:
    """Finds the caller behind an access token, or the service account behind a key."""

    def __init__(
        self,
        database: Database,
        verifier: TokenVerifier,
        callers: Callers,
        uses: LastUsed,
        keys: KeyAuthenticator,
    ) -> None:
        self._database = database
        self._verifier = verifier
        self._callers = callers
        self._uses = uses
        self._keys = keys
        self._lookups: InFlight[str, Caller] = InFlight()

    async def authenticate(self, token: str) -> Caller:
        """Return the caller.

        Raises:
            Unauthenticated: the token is not an access token of an active tenant, or its session or user is out; or
                the key is none that counts.
            TooManyRequests: the key was refused too often.
            Unavailable: PostgreSQL, or Keycloak when its keys are not known yet, cannot be reached.
        """
        if token.startswith(_KEY):
            return await self._keys.authenticate(token)
        caller = self._callers.get(token) or await self._lookups.share(token, lambda: self._look_up(token))
        self._uses.note(caller.session_id)
        return caller

    async def stand_for(self, user_id: UUID) -> Caller:
        """Return the user as a caller, for a service of the platform that acts for them.

        Raises:
            NotFound: no such user, or they or their tenant are out.
            Unavailable: PostgreSQL cannot be reached.
        """
        async with self._database.read() as session:
            caller = await crud.caller_by_id(session, user_id)
        if caller is None:
            raise NotFound("User not found", param="user_id")
        return caller

    async def _look_up(self, token: str) -> Caller:
        realm, key_id = self._verifier.claimed_realm(token)
        asked_at = time.monotonic()
        async with self._database.read() as session:
            client_id = await crud.client_of_realm(session, realm)
        if client_id is None:
            raise Unauthenticated("Invalid token")
        claims = await self._verifier.verify(token, realm, key_id, client_id)
        async with self._database.read() as session:
            caller = await crud.find_caller(session, claims)
        if caller is None:
            raise Unauthenticated("The session has ended; sign in again")
        self._callers.put(token, caller, asked_at)
        return caller
