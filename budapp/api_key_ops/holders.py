"""Who calls with an API key, in place of signing in."""

from dataclasses import dataclass

from fastapi import Request

from budapp.api_key_ops import crud, secrets
from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import Peppers
from budapp.api_key_ops.services import ApiKeys
from budapp.commons.access import Access, Authenticator, Caller, access_token, authenticated, require_password_set
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.commons.errors import BadRequest, NotFound

_INVALID = "Invalid API key"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who calls, and with which key where it is one."""

    caller: Caller
    key: Credential | None = None


class PersonOrBearerOfKey(Access):
    """A person who is signed in may call the route, and so may whoever carries one of their API keys as bearer token.

    Raises:
        Unauthenticated: there is neither.
        BadRequest: the key is none, is over, or its owner is out.
    """

    kind = "signed in"

    def asks_for_caller(self, request: Request) -> bool:
        """Ask for nobody where there is a key."""
        return not _is_key(access_token(request))

    async def __call__(self, request: Request) -> Holder:
        """Return who calls, or raise."""
        if not self.asks_for_caller(request):
            return await holder_of(request, access_token(request), "authorization")
        caller = await authenticated(request)
        self.admit(caller)
        return Holder(caller)

    def admit(self, caller: Caller) -> None:
        """Let those pass who are active."""
        require_password_set(caller)


async def holder_of(request: Request, secret: str, header: str) -> Holder:
    """Return who holds the API key that came in a header.

    Raises:
        BadRequest: the key is none, is over, or its owner is out.
    """
    components = components_of(request)
    if not secrets.is_well_formed(secret):
        raise BadRequest(_INVALID, param=header)
    async with components[Database].read() as session:
        key = await crud.key_with(session, secrets.lookup_hash(secret))
    if key is None or not _counts(components[ApiKeys].peppers, key, secret):
        raise BadRequest(_INVALID, param=header)
    try:
        caller = await components[Authenticator].stand_for(key.user_id)
    except NotFound as error:
        raise BadRequest(_INVALID, param=header) from error
    require_password_set(caller)
    request.scope["caller"] = caller
    return Holder(caller, key)


def _is_key(token: str) -> bool:
    return secrets.is_well_formed(token) and not secrets.is_of_service(token)


def _counts(peppers: Peppers, key: Credential, secret: str) -> bool:
    if key.expiry is not None and key.expiry <= now():
        return False
    if peppers.matches(secret, key.key_hmac):
        return True
    graceful = key.previous_expires_at is not None and key.previous_expires_at > now()
    return graceful and peppers.matches(secret, key.previous_key_hmac)
