"""Who may list deployments: a signed-in person, or whoever holds an API key, with what that opens."""

from fastapi import Request

from budapp.api_key_ops.holders import Holder, holder_of
from budapp.commons.access import Access, Caller, authenticated, require_password_set

_HEADER = "api-key"

User = Holder


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

    async def __call__(self, request: Request) -> Holder:
        """Return who calls, or raise."""
        if not self.asks_for_caller(request):
            return await holder_of(request, request.headers[_HEADER], _HEADER)
        caller = await authenticated(request)
        self.admit(caller)
        return Holder(caller)

    def admit(self, caller: Caller) -> None:
        """Let those pass who are active."""
        require_password_set(caller)
