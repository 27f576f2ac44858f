"""People's consent to a connector: OAuth 2.0 authorization code, between the browser, the provider and the foundry.

A browser leaves by way of `depart`, which binds the consent to it. What comes back counts once, within ten minutes, for
the person who began it and in the browser that left: a stolen state, a code sent again or somebody else's return is
refused before the foundry hears of it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from pydantic import BaseModel, SecretStr, field_serializer

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import Database, ReadSession, release
from budapp.commons.errors import BadRequest, NotFound, PeerFailed
from budapp.commons.logging import get_logger
from budapp.commons.schemas import is_web_address
from budapp.connector_ops import crud
from budapp.connector_ops import schemas as view
from budapp.connector_ops.models import ConnectorGateway
from budapp.connector_ops.setting_up import DEPARTURE_PATH, GatewayChecks
from budapp.integrations import mcp_foundry as peer
from budapp.integrations.mcp_foundry import Foundry
from budapp.integrations.one_time import OneTimeValues

logger = get_logger(__name__)

UNDER_WAY = timedelta(minutes=10)
_DEPARTURE, _CONSENT = "connector_departure", "connector_consent"
_REFUSED = "This return does not count: it was used before, took too long, or was begun by somebody else or elsewhere"


class PendingConsent(BaseModel):
    """A consent that is under way, kept under its state."""

    tenant_id: UUID
    user_id: UUID
    session_id: str
    gateway_id: UUID
    authorization_url: str
    return_url: str
    access_token: SecretStr
    browser_hash: str | None = None

    @field_serializer("access_token")
    def _kept(self, value: SecretStr) -> str:
        """Keep it with the rest, which is encrypted as a whole."""
        return value.get_secret_value()


class Consents:
    """Sends browsers to authorization servers, and takes them back."""

    def __init__(
        self, settings: Settings, database: Database, foundry: Foundry, one_time: OneTimeValues, checks: GatewayChecks
    ) -> None:
        self._settings = settings
        self._database = database
        self._foundry = foundry
        self._one_time = one_time
        self._checks = checks

    async def start(
        self, session: ReadSession, caller: Caller, token: str, gateway: ConnectorGateway, return_url: str | None
    ) -> view.ConsentStarted:
        """Return where the browser is to go for the caller's consent: to `depart`, of ours.

        Raises:
            BadRequest: the gateway asks for no consent, or is off.
            UnprocessableContent: the way back is not on the list, or an address must not be called.
        """
        back = self._checks.return_url(return_url)
        if gateway.auth_type != "OAuth" or not gateway.enabled:
            raise BadRequest("This connector asks for no consent, or is turned off")
        await release(session)
        await self._checks.addresses(gateway.addresses)
        params = {"gateway_id": gateway.foundry_id}
        path = "oauth/api/initiate"
        begun = await self._foundry.ask(peer.Authorization, token, "POST", path, params=params, user_id=caller.user_id)
        if not _leads_out(begun, gateway.addresses):
            raise PeerFailed("The MCP Foundry names an authorization server that the connector does not have")
        pending = PendingConsent(
            tenant_id=caller.tenant_id,
            user_id=caller.user_id,
            session_id=caller.session_id,
            gateway_id=gateway.id,
            authorization_url=begun.authorization_url,
            return_url=back,
            access_token=SecretStr(token),
        )
        await self._one_time.put(_DEPARTURE, begun.state, pending, UNDER_WAY)
        url = with_query(f"{self._settings.callback_base}{DEPARTURE_PATH}", state=begun.state)
        seconds = int(UNDER_WAY.total_seconds())
        return view.ConsentStarted(authorization_url=url, state=begun.state, expires_in=seconds, gateway_id=gateway.id)

    async def depart(self, state: str, binding: str | None) -> tuple[str, str | None]:
        """Bind the consent to the browser, and return where it goes, and what it keeps in a cookie until it is back.

        Raises:
            BadRequest: the consent is over, or another browser has left for it.
        """
        pending = await self._one_time.take(_DEPARTURE, state, PendingConsent)
        if pending is not None:
            binding = secrets.token_urlsafe(32)
            pending.browser_hash = _hash(binding)
            await self._one_time.put(_CONSENT, state, pending, UNDER_WAY)
            return pending.authorization_url, binding
        pending = await self._one_time.look(_CONSENT, state, PendingConsent)
        if pending is None or not _is_same_browser(pending, binding):
            raise BadRequest(_REFUSED, param="state")
        return pending.authorization_url, None

    async def finish_in_browser(self, code: str | None, state: str, binding: str | None) -> view.OAuthDone:
        """Take the browser back from the authorization server.

        Raises:
            BadRequest: it is another browser, the consent is over or was used, or the person gave none.
        """
        pending = await self._one_time.look(_CONSENT, state, PendingConsent)
        if pending is None or not _is_same_browser(pending, binding):
            raise BadRequest(_REFUSED, param="state")
        return await self._finish(pending, code, state, pending.access_token.get_secret_value())

    async def finish_signed_in(
        self, caller: Caller, token: str, data: view.Callback, gateway_ids: Collection[UUID] | None = None
    ) -> view.OAuthDone:
        """Take what the browser of somebody who is signed in has brought back, for one of these gateways if given.

        Raises:
            BadRequest: it was begun by another person or in another browser, is over, or was used.
        """
        pending = await self._one_time.look(_CONSENT, data.state, PendingConsent)
        if pending is None or (pending.user_id, pending.session_id) != (caller.user_id, caller.session_id):
            raise BadRequest(_REFUSED, param="state")
        if gateway_ids is not None and pending.gateway_id not in gateway_ids:
            raise BadRequest("This consent is for another connector", param="connector_id")
        return await self._finish(pending, data.code, data.state, token)

    async def _finish(self, pending: PendingConsent, code: str | None, state: str, token: str) -> view.OAuthDone:
        if await self._one_time.take(_CONSENT, state, PendingConsent) is None:
            raise BadRequest(_REFUSED, param="state")
        if code is None:
            raise BadRequest("No consent was given", param="code")
        params = {"code": code, "state": state}
        path = "oauth/api/callback"
        done = await self._foundry.ask(peer.Consent, token, "POST", path, params=params, user_id=pending.user_id)
        async with self._database.write() as session:
            gateway = await crud.lock(session, pending.tenant_id, pending.gateway_id)
            if gateway is None:
                raise NotFound("The connector was deleted in the meantime")
            record(
                session,
                Action.ACCESS_GRANTED,
                ResourceType.CONFIG,
                tenant_id=pending.tenant_id,
                user_id=pending.user_id,
                actioned_by=pending.user_id,
                resource_id=gateway.id,
                resource_name=gateway.name,
                details={"consent": "given"},
            )
        return view.OAuthDone(
            gateway_id=pending.gateway_id,
            user_id=pending.user_id,
            expires_at=done.expires_at,
            return_url=pending.return_url,
        )

    async def where_back(self, state: str) -> str | None:
        """Return where a browser is sent whose return is refused: where the consent was begun, if that is known."""
        pending = await self._one_time.look(_CONSENT, state, PendingConsent)
        return pending.return_url if pending is not None else None

    async def status(self, token: str, gateway: ConnectorGateway) -> view.OAuthStatus:
        """Return how a gateway asks for consent."""
        if gateway.auth_type != "OAuth":
            none = {"grant_type": None, "client_id": None, "authorization_url": None, "redirect_uri": None}
            return view.OAuthStatus(oauth_enabled=False, scopes=[], status_message="No consent is needed", **none)
        found = await self._foundry.ask(peer.OAuthSetup, token, "GET", f"oauth/status/{gateway.foundry_id}")
        return view.OAuthStatus(status_message="People give their consent", **found.model_dump())

    async def token_status(self, caller: Caller, token: str, gateway: ConnectorGateway) -> view.TokenStatus:
        """Return whether the caller has given their consent."""
        path = f"oauth/api/tokens/{gateway.foundry_id}"
        try:
            found = await self._foundry.ask(peer.TokenState, token, "GET", path, user_id=caller.user_id)
        except NotFound:
            return view.TokenStatus(connected=False, expires_at=None, scopes=[])
        return view.TokenStatus(**found.model_dump())

    async def withdraw(self, caller: Caller, token: str, gateway: ConnectorGateway, email: str | None = None) -> None:
        """Have the foundry forget the caller's token, or somebody else's; nothing happens where there is none."""
        path = f"oauth/api/tokens/{gateway.foundry_id}" + (f"/{email}" if email is not None else "")
        try:
            await self._foundry.ask(peer.Nothing, token, "DELETE", path, user_id=caller.user_id)
        except NotFound:
            return

    async def fetch_tools(self, caller: Caller, token: str, gateway: ConnectorGateway) -> None:
        """Have the foundry ask the MCP server for its tools, with the caller's consent."""
        await self._checks.addresses([gateway.url], "url")
        path = f"oauth/fetch-tools/{gateway.foundry_id}"
        await self._foundry.ask(peer.Nothing, token, "POST", path, user_id=caller.user_id)


def with_query(url: str, **more: str) -> str:
    """Return the address with more in its query."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *more.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _leads_out(begun: peer.Authorization, addresses: list[str]) -> bool:
    """Tell whether the address is one that the gateway was set up with, and bears the state."""
    if not is_web_address(begun.authorization_url):
        return False
    parts = urlsplit(begun.authorization_url)
    known = {(one.scheme, one.netloc, one.path) for one in map(urlsplit, addresses)}
    return (parts.scheme, parts.netloc, parts.path) in known and parse_qs(parts.query).get("state") == [begun.state]


def _hash(binding: str) -> str:
    return hashlib.sha256(binding.encode()).hexdigest()


def _is_same_browser(pending: PendingConsent, binding: str | None) -> bool:
    return hmac.compare_digest(pending.browser_hash or "", _hash(binding or ""))
