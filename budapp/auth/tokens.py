"""Access tokens, checked locally against the realm's signing keys."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import jwt
from jwt import PyJWK, PyJWKSet

from budapp.commons.errors import AppError, Unauthenticated, Unavailable
from budapp.commons.in_flight import InFlight
from budapp.integrations.keycloak import Keycloak, RealmClient

_ALGORITHMS = ["RS256"]
_REFETCH_SECONDS = 1.0
_CLOCK_SKEW_SECONDS = 5
_MAX_TOKEN_LENGTH = 16_384


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says."""

    realm: str
    auth_id: str
    session_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IdentityClaims:
    """What a valid ID token says; `provider` is where the session was begun, if not with a password."""

    auth_id: str
    session_id: str
    email: str
    email_verified: bool
    name: str | None
    nonce: str | None
    provider: str | None


class SigningKeys:
    """The realms' public keys, fetched at the first unknown key id.

    All who need a realm's keys at the same time share one fetch, and fetches begin a second apart at least: neither a
    stranger's invented key id nor a Keycloak that is down makes more work than that, and a new key is known that soon.
    """

    def __init__(self, keycloak: Keycloak) -> None:
        self._keycloak = keycloak
        self._keys: dict[tuple[str, str], PyJWK] = {}
        self._begun_at: dict[str, float] = {}
        self._failed_until: dict[str, float] = {}
        self._fetches: InFlight[str, None] = InFlight()

    async def get(self, realm: str, key_id: str) -> PyJWK:
        """Return the key.

        Raises:
            Unauthenticated: the realm has no such key.
            Unavailable: the keys are not here and Keycloak cannot be reached.
        """
        asked_at = time.monotonic()
        while (key := self._keys.get((realm, key_id))) is None:
            if asked_at < self._failed_until.get(realm, 0):
                raise Unavailable("The sign-in service is unavailable; try again later")
            if self._begun_at.get(realm, 0) >= asked_at:
                raise Unauthenticated("Invalid token")
            await self._fetches.share(realm, partial(self._fetch, realm))
        return key

    async def _fetch(self, realm: str) -> None:
        await asyncio.sleep(self._begun_at.get(realm, 0) + _REFETCH_SECONDS - time.monotonic())
        self._begun_at[realm] = time.monotonic()
        try:
            found = {(realm, str(key.key_id)): key for key in await self._signing_keys(realm)}
        except (AppError, jwt.PyJWTError, ValueError, KeyError):
            self._failed_until[realm] = time.monotonic() + _REFETCH_SECONDS
            raise
        self._keys = {at: key for at, key in self._keys.items() if at[0] != realm} | found

    async def _signing_keys(self, realm: str) -> list[PyJWK]:
        document = await self._keycloak.signing_keys(realm)
        signing = [key for key in document["keys"] if key.get("use") == "sig" and key.get("alg") in _ALGORITHMS]
        return PyJWKSet.from_dict({"keys": signing}).keys


class TokenVerifier:
    """Decides whether a text is an access token that one of our realms issued to one of our clients."""

    def __init__(self, keys: SigningKeys, issuer_base: str) -> None:
        self._keys = keys
        self._issuer_prefix = f"{issuer_base}/realms/"

    def claimed_realm(self, token: str) -> tuple[str, str]:
        """Return the realm that the token says it is from, and the id of its key; nothing is checked yet.

        Raises:
            Unauthenticated: it is not a token of our Keycloak.
        """
        if len(token) > _MAX_TOKEN_LENGTH:
            raise Unauthenticated("Invalid token")
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("Invalid token") from error
        realm = self.realm_of_issuer(unverified_claims(token).get("iss"))
        if realm is None or not isinstance(key_id, str):
            raise Unauthenticated("Invalid token")
        return realm, key_id

    def realm_of_issuer(self, issuer: object) -> str | None:
        """Return the realm if the issuer is one of our Keycloak's."""
        if not isinstance(issuer, str) or not issuer.startswith(self._issuer_prefix):
            return None
        realm = issuer.removeprefix(self._issuer_prefix)
        return realm if realm and "/" not in realm else None

    async def verify(self, token: str, realm: str, key_id: str, client_id: str) -> Claims:
        """Check signature, issuer, audience, authorized party, kind and times.

        Raises:
            Unauthenticated: one of them is not right; the message tells an expired token apart.
        """
        claims = await self._decode(token, realm, key_id, client_id)
        if claims.get("typ") != "Bearer":
            raise Unauthenticated("Invalid token")
        return Claims(realm, claims["sub"], claims["sid"], datetime.fromtimestamp(claims["exp"], UTC))

    async def verify_identity(self, token: str, client: RealmClient) -> IdentityClaims:
        """Check an ID token that was issued to the client (OpenID Connect Core 3.1.3.7), but for its nonce.

        Raises:
            Unauthenticated: it is not right.
        """
        realm, key_id = self.claimed_realm(token)
        claims = await self._decode(token, realm, key_id, client.client_id)
        if realm != client.realm or claims.get("typ") != "ID":
            raise Unauthenticated("Invalid token")
        return IdentityClaims(
            auth_id=claims["sub"],
            session_id=claims["sid"],
            email=str(claims.get("email") or "").lower(),
            email_verified=claims.get("email_verified") is True,
            name=claims.get("name"),
            nonce=claims.get("nonce"),
            provider=claims.get("identity_provider"),
        )

    async def _decode(self, token: str, realm: str, key_id: str, client_id: str) -> dict[str, Any]:
        key = await self._keys.get(realm, key_id)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                issuer=f"{self._issuer_prefix}{realm}",
                audience=client_id,
                leeway=_CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "iat", "iss", "sub", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired") from error
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("Invalid token") from error
        if claims.get("azp") != client_id or not isinstance(claims.get("sid"), str):
            raise Unauthenticated("Invalid token")
        return claims


def unverified_claims(token: str) -> dict[str, Any]:
    """Return what a token says of itself, unchecked, or nothing where it is none.

    Only to find out whom to ask about it, or for a token that Keycloak has just judged itself.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return claims
