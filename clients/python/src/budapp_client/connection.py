"""The connection that the generated functions take as `client`."""

from typing import Any, Self, TypeVar

import httpx

from budapp_client.errors import BudappError, NoAnswer, error_of
from budapp_client.rest.api.auth import auth_login, auth_logout
from budapp_client.rest.client import AuthenticatedClient, Client
from budapp_client.rest.models import Login, Logout
from budapp_client.rest.types import UNSET
from budapp_client.tokens import Key, Memory, Session, Store, Tokens

Found = TypeVar("Found")

_TIMEOUT = httpx.Timeout(60, connect=10)


class Budapp(AuthenticatedClient):
    """budapp at an address, and somebody who calls it; answers that are no success are raised as `ApiError`."""

    def __init__(self, address: str, auth: httpx.Auth, timeout: httpx.Timeout = _TIMEOUT) -> None:
        base = versioned(address)
        super().__init__(base_url=base, token="", raise_on_unexpected_status=True)  # the token is `auth`'s
        self.address = base
        self.auth = auth
        self.set_httpx_client(_Http(base_url=base, auth=auth, timeout=timeout))
        self._timeout_of_all = timeout
        self._async_http: _AsyncHttp | None = None

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """Return the connections of the functions named `asyncio`, which few callers need."""
        if self._async_http is None:
            self._async_http = _AsyncHttp(base_url=self.address, auth=self.auth, timeout=self._timeout_of_all)
            self.set_async_httpx_client(self._async_http)
        return self._async_http

    @classmethod
    def sign_in(cls, address: str, email: str, password: str, tenant: str | None = None) -> Self:
        """Sign in with a password; the session is renewed as long as it is used."""
        return cls.resume(address, Memory(sign_in(address, email, password, tenant)))

    @classmethod
    def resume(cls, address: str, store: Store) -> Self:
        """Go on with the session whose tokens are in the store."""
        return cls(address, Session(versioned(address), store))

    @classmethod
    def with_key(cls, address: str, key: str) -> Self:
        """Call as a service account, by its key; or with an access token, as long as that lasts."""
        return cls(address, Key(key))

    def sign_out(self) -> None:
        """End the session; its tokens stop working within seconds."""
        if isinstance(self.auth, Session):
            auth_logout.sync(client=self, body=Logout(refresh_token=self.auth.store.read().refresh))


def sign_in(address: str, email: str, password: str, tenant: str | None = None) -> Tokens:
    """Return the tokens of a new session."""
    body = Login(email=email, password=password, tenant=tenant or UNSET)
    base = versioned(address)
    with Client(base_url=base, raise_on_unexpected_status=True) as nobody:
        nobody.set_httpx_client(_Http(base_url=base, timeout=_TIMEOUT))
        return Tokens.of(answer(auth_login.sync(client=nobody, body=body)).token)


def answer(found: Found | None) -> Found:
    """Return what a generated function has found, without the None that its type allows for."""
    if found is None:
        raise BudappError("The service answered with nothing where something was promised; is it an older one?")
    return found


def versioned(address: str) -> str:
    """Return the address with the version of the API that this client is for."""
    address = address.rstrip("/")
    return address if address.endswith("/v1") else f"{address}/v1"


class _Http(httpx.Client):
    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            response = super().send(request, **options)
            if response.is_error:
                response.read()
        except httpx.TransportError as error:
            raise _no_answer(request, error) from error
        if response.is_error:
            raise error_of(response)
        return response


class _AsyncHttp(httpx.AsyncClient):
    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            response = await super().send(request, **options)
            if response.is_error:
                await response.aread()
        except httpx.TransportError as error:
            raise _no_answer(request, error) from error
        if response.is_error:
            raise error_of(response)
        return response


def _no_answer(request: httpx.Request, error: httpx.TransportError) -> NoAnswer:
    url = request.url
    place = f"{url.scheme}://{url.netloc.decode()}"
    return NoAnswer(f"{place} does not answer ({str(error) or type(error).__name__})")
