"""The sidecar's HTTP API, over one pool of connections: its health, and the calls of other services."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    FormData,
    TCPConnector,
)

from budapp.commons.config import Settings
from budapp.commons.outages import DAPR, outages, unavailable
from budapp.commons.storable import clean_text, cleaned
from budapp.integrations.sidecar import TRIES, pause_before_retry

_HEALTH_SECONDS = 2
_CONNECTIONS = 100

Form = Callable[[], FormData]


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, read to its end."""

    status: int
    content: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def body(self) -> Any:
        """The parsed JSON, as it can be stored; the text where it is none, None where there is nothing."""
        try:
            return cleaned(json.loads(self.content))[0] if self.content else None
        except (ValueError, RecursionError):
            return clean_text(self.content.decode(errors="replace"))

    @property
    def sidecar_error(self) -> str | None:
        """The sidecar's own error code; peers have no `errorCode`."""
        body = None if self.is_success else self.body
        code = body.get("errorCode") if isinstance(body, dict) else None
        return code if isinstance(code, str) and code.startswith("ERR_") else None

    @property
    def may_pass(self) -> bool:
        """Whether the same request may fare better a little later."""
        return self.status in (502, 503, 504) or self.sidecar_error == "ERR_DIRECT_INVOKE"


@dataclass(frozen=True, slots=True)
class Call:
    """A request; `form` makes its body anew for each try, for a form can be sent once."""

    method: str
    path: str
    headers: Mapping[str, str]
    params: list[tuple[str, str]]
    json: Any = None
    form: Form | None = None


class SidecarHttp:
    """The pool of this process, made by the first call; it belongs to the loop of that call."""

    def __init__(self, settings: Settings) -> None:
        token = settings.dapr_api_token
        self._base_url = f"{settings.dapr_base_url}/v1.0"
        self._headers = {"dapr-api-token": token.get_secret_value()} if token else {}
        self._session: ClientSession | None = None
        self._closed = False

    async def close(self) -> None:
        """Close the connections; no further call is made."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def healthy(self) -> bool:
        """Tell whether the sidecar is up with its components, whether or not it has found this app yet."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                return (await self._send_once(Call("GET", "healthz/outbound", {}, []))).is_success
        except (TimeoutError, ClientError):
            return False

    async def send(self, call: Call, peer: str, seconds: float, *, retry: bool) -> Response:
        """Return the response, whatever its status.

        Args:
            call: what to send.
            peer: whose outage it is where the sidecar answers nothing.
            seconds: the deadline of the whole call, tries and pauses included.
            retry: whether sending it twice does no harm; what was never sent is tried again in any case.

        Raises:
            Unavailable: the sidecar can't be reached, or the response does not come in time.
        """
        try:
            async with asyncio.timeout(seconds):
                response = await self._send_again(call, retry)
        except ClientConnectorError as error:
            raise unavailable(DAPR, None, error) from error
        except (TimeoutError, ClientError) as error:
            raise unavailable(peer, None, error) from error
        outages.answered(DAPR)
        return response

    async def _send_again(self, call: Call, retry: bool) -> Response:
        for attempt in range(TRIES - 1):
            try:
                response = await self._send_once(call)
            except (ClientConnectorError, ConnectionTimeoutError):
                pass  # nothing was sent
            except ClientConnectionError:
                if not retry:
                    raise
            else:
                if not (retry and response.may_pass):
                    return response
            await asyncio.sleep(pause_before_retry(attempt))
        return await self._send_once(call)

    async def _send_once(self, call: Call) -> Response:
        request = self._pool().request(
            call.method,
            f"{self._base_url}/{call.path}",
            headers=call.headers,
            params=call.params or None,
            json=call.json,
            data=call.form() if call.form else None,
            allow_redirects=False,
        )
        async with request as response:
            return Response(response.status, await response.read())

    def _pool(self) -> ClientSession:
        if self._closed:
            raise RuntimeError("The pool of connections is closed")
        if self._session is None:
            self._session = ClientSession(
                headers=self._headers,
                connector=TCPConnector(limit=_CONNECTIONS),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=None),
            )
        return self._session
