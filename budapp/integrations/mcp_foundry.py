"""The MCP Foundry: connectors to MCP servers, the gateways that reach them, their tools, and people's consents."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from budapp.commons.config import Settings
from budapp.commons.errors import AppError, BadRequest, Conflict, NotFound, PeerFailed, TooManyRequests, Unavailable
from budapp.commons.logging import get_logger
from budapp.commons.storable import OutsideText, cleaned
from budapp.integrations.peers import Json, Reply, read

logger = get_logger(__name__)

T = TypeVar("T", bound=BaseModel)

SECONDS = 8.0
_AGAIN_SECONDS = 10
_TRIES = 3
_PAUSE_SECONDS = 0.2
_CLEAR_MESSAGE_LENGTH = 300
_MOST_BYTES = 8 * 1024 * 1024


class Connector(Reply):
    """An MCP server that the registry knows."""

    id: str
    name: str
    url: str
    provider: str = ""
    category: str | None = None
    description: OutsideText = None
    icon: str | None = Field(default=None, validation_alias=AliasChoices("icon", "logo_url"))
    documentation_url: str | None = None
    auth_type: str = "Open"
    tags: list[str] = []


class Registry(Reply):
    servers: list[Connector]


class Gateway(Reply):
    """What reaches an MCP server; credentials are never told."""

    id: str = Field(min_length=1, max_length=255)
    name: str
    url: str
    transport: str = "STREAMABLEHTTP"
    visibility: str = "public"
    created_at: datetime | None = None


class Tool(Reply):
    id: str
    name: str
    display_name: str | None = Field(default=None, validation_alias=AliasChoices("display_name", "displayName"))
    original_name: str | None = Field(default=None, validation_alias=AliasChoices("original_name", "originalName"))
    description: OutsideText = None
    type: str = Field(default="MCP", validation_alias=AliasChoices("type", "integrationType", "integration_type"))
    gateway_id: str | None = Field(default=None, validation_alias=AliasChoices("gateway_id", "gatewayId"))
    input_schema: Json = Field(default={}, validation_alias=AliasChoices("input_schema", "inputSchema"))


class Tools(Reply):
    items: list[Tool]


class VirtualServer(Reply):
    id: str
    name: str


class Authorization(Reply):
    """Where a person gives their consent."""

    authorization_url: str
    state: str = Field(min_length=16, max_length=512)
    expires_in: int = 600


class OAuthSetup(Reply):
    oauth_enabled: bool = False
    grant_type: str | None = None
    client_id: str | None = None
    scopes: list[str] = []
    authorization_url: str | None = None
    redirect_uri: str | None = None


class Consent(Reply):
    """The token that a person's consent has brought; it stays at the foundry."""

    user_id: str | None = None
    expires_at: datetime | None = None


class TokenState(Reply):
    connected: bool = Field(default=False, validation_alias=AliasChoices("connected", "has_token", "is_valid"))
    expires_at: datetime | None = None
    scopes: list[str] = []


class Nothing(Reply):
    """An answer that is not looked at."""


class Foundry:
    """The foundry's REST API, asked with the access token of the person for whom it is, and with a deadline.

    Every method raises `Unavailable` where it is not set up or can't be reached in time, `PeerFailed` where it fails or
    makes no sense, `NotFound` where it does not know what it is asked about, and `BadRequest` or `Conflict` in its own
    words where it refuses.
    """

    def __init__(self, settings: Settings) -> None:
        self._base = settings.mcp_foundry_base_url
        self._http = httpx.AsyncClient(timeout=SECONDS, trust_env=False, follow_redirects=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(
        self,
        schema: type[T],
        token: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        user_id: object = None,
    ) -> T:
        """Return the answer as the schema has it; a bare list is its `items`."""
        headers = {"Authorization": f"Bearer {token}", **({"X-User-ID": str(user_id)} if user_id is not None else {})}
        answer = await self._send(method, path, headers, params, body)
        content = _content(answer)
        if not answer.is_success:
            raise _refusal(path, answer.status_code, content)
        try:
            found, odd = read(schema, {"items": content} if isinstance(content, list) else content or {})
        except ValidationError as error:
            logger.warning("foundry_failed", path=path, answer="malformed")
            raise PeerFailed("The MCP Foundry gave an answer that makes no sense") from error
        if odd:
            logger.warning("foundry_answer_odd", path=path, members=sorted(odd)[:10])
        return found

    async def forget(self, token: str, path: str) -> None:
        """Have the foundry delete something, which may be gone already."""
        try:
            await self.ask(Nothing, token, "DELETE", path)
        except NotFound:
            return

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], params: Mapping[str, Any] | None, body: Any
    ) -> httpx.Response:
        if self._base is None:
            raise Unavailable("Connectors are not set up; the operator names the MCP Foundry in MCP_FOUNDRY_BASE_URL")
        url = f"{self._base.rstrip('/')}/{path.lstrip('/')}"
        try:
            async with asyncio.timeout(SECONDS):
                return await self._tried(method, url, headers, params, body)
        except (httpx.HTTPError, TimeoutError) as error:
            logger.warning("foundry_unreachable", path=path, reason=repr(error))
            raise Unavailable("The MCP Foundry can't be reached; try again later") from error

    async def _tried(
        self, method: str, url: str, headers: Mapping[str, str], params: Mapping[str, Any] | None, body: Any
    ) -> httpx.Response:
        """Send, again where no connection was made: then nothing was asked yet."""
        for attempt in range(_TRIES):
            try:
                return await self._http.request(method, url, headers=headers, params=params, json=body)
            except httpx.ConnectError:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS * (attempt + 1))
        raise AssertionError


def _content(answer: httpx.Response) -> Any:
    if len(answer.content) > _MOST_BYTES:
        raise PeerFailed("The MCP Foundry gave an answer that is too large")
    try:
        return cleaned(answer.json())[0] if answer.content else None
    except (ValueError, RecursionError):
        return None


def _refusal(path: str, status: int, content: Any) -> AppError:
    said = content.get("detail") or content.get("message") if isinstance(content, dict) else None
    clear = said if isinstance(said, str) and len(said) <= _CLEAR_MESSAGE_LENGTH and "\n" not in said else None
    logger.warning("foundry_failed", path=path, status=status)
    if status == 404:
        return NotFound("The MCP Foundry does not know this any more")
    if status == 429:
        return TooManyRequests(_AGAIN_SECONDS)
    if status == 409:
        return Conflict(clear)
    if status in {400, 413, 422}:
        return BadRequest(clear or "The MCP Foundry refused this")
    return PeerFailed("The MCP Foundry failed")
