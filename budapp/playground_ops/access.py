"""Who may list deployments: a signed-in person, or whoever holds an API key, with what that opens."""

from dataclasses import dataclass

from fastapi import Request

from budapp.api_key_ops import secrets
from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import Peppers
from budapp.api_key_ops.services import ApiKeys
from budapp.commons.access import Access, Authenticator, Caller, authenticated, require_password_set
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.commons.errors import BadRequest, NotFound
from budapp.playground_ops import crud

_HEADER = "api-key"
_INVALID = "Invalid API key"


@dataclass(frozen=True, slots=True)
class User:
    """Who uses models, and with which key where it is one."""

    caller: Caller
    key: Credential | None = None


class SignedInOrKey(Access):
    """A person who is signed in may call the route, and so may whoever carries one of their API keys as `api-key`.

    Raises:
        Unauthenticated: there is neither.
        BadRequest: the key is none, is over, or its owner is out.
    """

    kind = "signed in"

    def asks_for_caller(self, request: Request) -> bool:
        """Ask for nobody where there is a key."""
        return _HEADER not in request.headers or "authorization" in request.headers

    async def __call__(self, request: Request) -> User:
        """Return who calls, or raise."""
        if not self.asks_for_caller(request):
            return await _holder(request, request.headers[_HEADER])
        caller = await authenticated(request)
        self.admit(caller)
        return User(caller)

    def admit(self, caller: Caller) -> None:
        """Let those pass who are active."""
        require_password_set(caller)


async def _holder(request: Request, secret: str) -> User:
    components = components_of(request)
    if not secrets.is_well_formed(secret):
        raise BadRequest(_INVALID, param=_HEADER)
    async with components[Database].read() as session:
        key = await crud.key_with(session, secrets.lookup_hash(secret))
    if key is None or not _counts(components[ApiKeys].peppers, key, secret):
        raise BadRequest(_INVALID, param=_HEADER)
    try:
        caller = await components[Authenticator].stand_for(key.user_id)
    except NotFound as error:
        raise BadRequest(_INVALID, param=_HEADER) from error
    require_password_set(caller)
    request.scope["caller"] = caller
    return User(caller, key)


def _counts(peppers: Peppers, key: Credential, secret: str) -> bool:
    if key.expiry is not None and key.expiry <= now():
        return False
    if peppers.matches(secret, key.key_hmac):
        return True
    graceful = key.previous_expires_at is not None and key.previous_expires_at > now()
    return graceful and peppers.matches(secret, key.previous_key_hmac)
