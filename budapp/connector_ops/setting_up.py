"""What the foundry is told of a gateway, and what is checked before: nothing inside our own walls is named to it."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from budapp.auth.return_urls import is_allowed
from budapp.commons.config import Settings
from budapp.commons.errors import BadRequest, UnprocessableContent
from budapp.connector_ops.schemas import Credentials, HeadersCredentials, OAuthCredentials, auth_type_of
from budapp.integrations.mcp_foundry import Connector
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing, UnknownHost
from budapp.integrations.peers import Json

CALLBACK_PATH = "/connectors/oauth/public-callback"
DEPARTURE_PATH = "/connectors/oauth/departure"
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class GatewayChecks:
    """What a gateway is made of, checked; and put into the foundry's words."""

    def __init__(self, settings: Settings, outgoing: Outgoing) -> None:
        self._settings = settings
        self._outgoing = outgoing

    async def addresses(self, addresses: Iterable[str], param: str = "credentials") -> None:
        """Raise `UnprocessableContent` where one of the addresses must not be called.

        Names are looked up anew each time, so it is asked before each use, not only when a gateway is set up.
        """
        for address in addresses:
            try:
                await self._outgoing.check(address)
            except UnknownHost as error:
                raise UnprocessableContent(f"There is no such host: {address}", param=param) from error
            except ForbiddenAddress as error:
                raise UnprocessableContent(f"This address may not be called: {error}", param=param) from error

    def return_url(self, url: str | None) -> str:
        """Return where the browser goes in the end.

        Raises:
            UnprocessableContent: it is none of the frontends', or not encrypted.
        """
        wanted = url or f"{self._settings.frontend_url}/connectors"
        parts = urlsplit(wanted) if is_allowed(wanted, self._settings.allowed_return_origins) else None
        if parts is None or not (parts.scheme == "https" or parts.hostname in _THIS_MACHINE):
            raise UnprocessableContent("This return address is not allowed", param="return_url")
        return wanted

    def body(self, credentials: Credentials, **about: Any) -> Json:
        """Return the foundry's body for a gateway with these credentials."""
        kinds = {"OAuth": "oauth", "Headers": "authheaders", "Open": None}
        body: Json = {"visibility": "private", "auth_type": kinds[auth_type_of(credentials)], **about}
        if credentials.passthrough_headers:
            body["passthrough_headers"] = credentials.passthrough_headers
        if isinstance(credentials, OAuthCredentials):
            body["oauth_config"] = self._oauth(credentials)
        elif isinstance(credentials, HeadersCredentials):
            body["auth_headers"] = [
                {name: value.get_secret_value() for name, value in pair.items()} for pair in credentials.auth_headers
            ]
        return body

    def _oauth(self, credentials: OAuthCredentials) -> Json:
        known = credentials.model_dump(mode="json", exclude={"client_secret", "passthrough_headers"}, exclude_none=True)
        if credentials.client_secret is not None:
            known["client_secret"] = credentials.client_secret.get_secret_value()
        if credentials.grant_type == "authorization_code":
            ours = f"{self._settings.callback_base}{CALLBACK_PATH}"
            known["redirect_uri"] = self.return_url(credentials.redirect_uri) if credentials.redirect_uri else ours
        return known


def check_kind(connector: Connector, credentials: Credentials) -> None:
    """Raise `BadRequest` where the credentials are of another kind than the connector takes."""
    if auth_type_of(credentials) != connector.auth_type:
        raise BadRequest(f"This connector takes credentials of the kind {connector.auth_type}", param="credentials")


def name_at_foundry(name: str) -> str:
    """Return a name of its own for a gateway: the foundry knows no tenants."""
    return f"{name[:200]}-{uuid4().hex[:12]}"
