"""How requests say who calls: a session's tokens, renewed in time, or a key that stays the same."""

import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from budapp_client.errors import error_of
from budapp_client.rest.models import RefreshAnswer
from budapp_client.rest.models import Tokens as Issued

_MARGIN_SECONDS = 30
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class Tokens:
    """What a session is known by."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float
    """When the access token does, in seconds since 1970."""

    @classmethod
    def of(cls, issued: Issued) -> "Tokens":
        """Return the tokens that have just been issued."""
        return cls(issued.access_token, issued.refresh_token, time.time() + issued.expires_in)

    @property
    def is_stale(self) -> bool:
        """Whether the access token has expired, or is about to."""
        return time.time() > self.expires_at - _MARGIN_SECONDS


class Store(Protocol):
    """Where a session's tokens are kept; processes that share one share the session."""

    def read(self) -> Tokens: ...

    def write(self, tokens: Tokens) -> None: ...


class Memory:
    """Keeps the tokens as long as the process lives."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def read(self) -> Tokens:
        return self._tokens

    def write(self, tokens: Tokens) -> None:
        self._tokens = tokens


class Key(httpx.Auth):
    """A service account's key, or an access token that somebody else renews."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


class Session(httpx.Auth):
    """Tokens that are renewed before they expire, and once where the service says that they have.

    Threads and processes may renew at the same time: for some seconds the service gives all of them the same answer.
    """

    def __init__(self, address: str, store: Store) -> None:
        self._address = address
        self.store = store

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        tokens = self.store.read()
        if tokens.is_stale:
            renewal = yield self._renewal(tokens)
            renewal.read()
            tokens = self._take(renewal)
        response = yield _with(request, tokens)
        if response.status_code != _UNAUTHORIZED:
            return
        latest = self.store.read()  # another one may have renewed them
        if latest == tokens:
            renewal = yield self._renewal(tokens)
            renewal.read()
            latest = self._take(renewal)
        yield _with(request, latest)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        tokens = self.store.read()
        if tokens.is_stale:
            renewal = yield self._renewal(tokens)
            await renewal.aread()
            tokens = self._take(renewal)
        response = yield _with(request, tokens)
        if response.status_code != _UNAUTHORIZED:
            return
        latest = self.store.read()
        if latest == tokens:
            renewal = yield self._renewal(tokens)
            await renewal.aread()
            latest = self._take(renewal)
        yield _with(request, latest)

    def _renewal(self, tokens: Tokens) -> httpx.Request:
        return httpx.Request("POST", f"{self._address}/auth/refresh-token", json={"refresh_token": tokens.refresh})

    def _take(self, renewal: httpx.Response) -> Tokens:
        if renewal.is_error:
            raise error_of(renewal)
        tokens = Tokens.of(RefreshAnswer.from_dict(renewal.json()).token)
        self.store.write(tokens)
        return tokens


def _with(request: httpx.Request, tokens: Tokens) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {tokens.access}"
    return request
