"""Signing in at a tenant's identity provider: from the browser's departure to the tokens.

Keycloak stands between: it asks the provider, and we ask Keycloak (OAuth 2.0 authorization code with PKCE, OpenID
Connect Core 1.0). What the browser brings back is only ever a code, a state, and at last an exchange token; each is
good once and for a short while. A browser leaves by way of `depart`, which binds the sign-in to it: what comes back in
another one, as when somebody is made to open the end of another person's sign-in, is refused.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from pydantic import BaseModel

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.auth import crud
from budapp.auth.provisioning import enter_newcomer
from budapp.auth.return_urls import is_allowed
from budapp.auth.schemas import ExchangedUser, TokenExchange
from budapp.auth.tokens import IdentityClaims, TokenVerifier
from budapp.commons.config import Settings
from budapp.commons.database import Database, ReadSession, WriteSession, now
from budapp.commons.domain import provided
from budapp.commons.errors import AppError, BadRequest, NotFound, Unavailable, UnprocessableContent
from budapp.commons.logging import get_logger
from budapp.commons.origin import Origin
from budapp.commons.scopes import UserRole
from budapp.integrations.identity_brokers import DEPARTURE_PATH, Brokering
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.keycloak_errors import InvalidGrant
from budapp.integrations.one_time import OneTimeValues
from budapp.oauth_ops import services as providers
from budapp.oauth_ops.models import TenantOAuthConfig
from budapp.oauth_ops.schemas import ConfigData, OAuthProvider, OAuthStarted
from budapp.session_ops.services import note_session
from budapp.tenant_ops.services import TenantAccess, find_access
from budapp.user_ops.accounts import activate
from budapp.user_ops.models import User, UserStatus

logger = get_logger(__name__)

_UNDER_WAY = timedelta(minutes=10)
_EXCHANGE = timedelta(seconds=60)


class PendingSignOn(BaseModel):
    """A sign-in at a provider that is under way, kept under its state; `user_id` where it is to link a provider."""

    tenant_id: UUID
    provider: OAuthProvider
    nonce: str
    code_verifier: str
    redirect_uri: str
    user_id: UUID | None
    browser_hash: str | None = None


class WaitingTokens(BaseModel):
    """Tokens that wait to be fetched with an exchange token."""

    user_id: UUID
    access_token: str
    refresh_token: str
    expires_in: int


class Refused(Exception):
    """Somebody is not let in; `code` is what the frontend is told, from a fixed list."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.email: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where somebody wants to sign in, and where to go then; `user_id` where it is to link a provider to them."""

    provider: OAuthProvider
    realm: str | None = None
    tenant_id: UUID | None = None
    redirect_uri: str | None = None
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what it is to keep in a cookie until it is back."""

    url: str
    binding: str | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """What the browser brings back; `binding` is in its cookie."""

    state: str
    binding: str | None
    code: str | None = None
    error: str | None = None


class SingleSignOn:
    """Sends browsers to identity providers, and takes them back."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keycloak: Keycloak,
        brokering: Brokering,
        verifier: TokenVerifier,
        one_time: OneTimeValues,
    ) -> None:
        self._settings = settings
        self._database = database
        self._keycloak = keycloak
        self._brokering = brokering
        self._verifier = verifier
        self._one_time = one_time

    async def start(self, start: Start) -> OAuthStarted:
        """Return where the browser is to go: to `depart`, of ours.

        Raises:
            NotFound: there is no such tenant, or no such provider is set up there.
            UnprocessableContent: the way back is not on the list.
        """
        redirect_uri = start.redirect_uri or self._settings.frontend_url
        if not is_allowed(redirect_uri, self._settings.allowed_return_origins):
            raise UnprocessableContent("This return address is not allowed", param="redirectUri")
        state, nonce, code_verifier = (secrets.token_urlsafe(size) for size in (32, 32, 48))
        async with self._database.read() as session:
            access = await self._access(session, start.realm, start.tenant_id)
            if access is None or await providers.enabled_config(session, access.tenant_id, start.provider) is None:
                raise NotFound("The provider is not configured")
        pending = PendingSignOn(
            tenant_id=access.tenant_id,
            provider=start.provider,
            nonce=nonce,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            user_id=start.user_id,
        )
        await self._one_time.put("departure", state, pending, _UNDER_WAY)
        url = _with(self._settings.callback_base + DEPARTURE_PATH, state=state)
        return OAuthStarted(auth_url=url, state=state, expires_at=now() + _UNDER_WAY)

    async def depart(self, state: str, binding: str | None) -> Departure:
        """Bind the sign-in to the browser, and return where it goes: to the provider, by way of Keycloak.

        The browser that it is bound to may depart again; from any other it is sent back to where signing in begins.
        """
        try:
            pending, binding = await self._bound(state, binding)
        except Unavailable:
            return Departure(self._login_page("failed"))
        if pending is None:
            return Departure(self._login_page("expired"))
        async with self._database.read() as session:
            access = await self._access(session, None, pending.tenant_id)
        if access is None:
            return Departure(self._login_page("expired"))
        url = self._brokering.authorization_url(
            access.client,
            provider=pending.provider,
            state=state,
            nonce=pending.nonce,
            code_challenge=_challenge(pending.code_verifier),
        )
        return Departure(url, binding)

    async def _bound(self, state: str, binding: str | None) -> tuple[PendingSignOn | None, str | None]:
        """Return the sign-in, bound to the first browser that departs; None for any other browser."""
        pending = await self._one_time.take("departure", state, PendingSignOn)
        if pending is not None:
            binding = secrets.token_urlsafe(32)
            pending.browser_hash = _hash(binding)
            await self._one_time.put("sign_on", state, pending, _UNDER_WAY)
            return pending, binding
        pending = await self._one_time.look("sign_on", state, PendingSignOn)
        return (pending, binding) if pending is not None and _same_browser(pending, binding) else (None, None)

    def _login_page(self, error: str) -> str:
        return _with(f"{self._settings.frontend_url}/login", error=error)

    async def _access(self, session: ReadSession, realm: str | None, tenant_id: UUID | None) -> TenantAccess | None:
        realm = realm or self._settings.default_realm_name
        return await find_access(session, self._database.encryption, realm=realm, tenant_id=tenant_id)

    async def finish(self, back: Return, origin: Origin) -> str:
        """Return where the browser is to go with its exchange token, or with an error code and nothing else."""
        try:
            under_way = await self._one_time.take("sign_on", back.state, PendingSignOn)
        except Unavailable:
            return self._login_page("failed")
        if under_way is None:
            return self._login_page("expired")
        try:
            token = await self._let_in(under_way, back, origin)
        except Refused as refusal:
            logger.warning("single_sign_on_refused", provider=under_way.provider, reason=refusal.code)
            await self._record_refusal(under_way, refusal)
            return _with(under_way.redirect_uri, error=refusal.code, state=back.state)
        except AppError as error:
            logger.warning("single_sign_on_failed", provider=under_way.provider, exc_info=error)
            return _with(under_way.redirect_uri, error="failed", state=back.state)
        return _with(under_way.redirect_uri, exchange_token=token, state=back.state)

    async def _record_refusal(self, under_way: PendingSignOn, refusal: Refused) -> None:
        details = {"success": False, "provider": under_way.provider, "reason": refusal.code, "username": refusal.email}
        async with self._database.write() as session:
            record(
                session,
                Action.LOGIN_FAILED,
                ResourceType.SESSION,
                tenant_id=under_way.tenant_id,
                user_id=under_way.user_id,
                resource_name=refusal.email,
                details=details,
            )

    async def _let_in(self, under_way: PendingSignOn, back: Return, origin: Origin) -> str:
        if not _same_browser(under_way, back.binding):
            raise Refused("other_browser")
        if back.code is None:
            raise Refused("access_denied" if back.error == "access_denied" else "provider_error")
        async with self._database.read() as session:
            access = await self._access(session, None, under_way.tenant_id)
            config = await providers.enabled_config(session, under_way.tenant_id, under_way.provider)
        if access is None or config is None:
            raise Refused("provider_disabled")
        tokens, claims = await self._redeem(access, under_way, back.code)
        try:
            async with self._database.write() as session:
                user = await self._find_or_enter(session, access, config, claims, under_way.user_id)
                await self._note(session, user, config.provider, access, tokens, origin)
                return await self._keep(user, tokens)
        except (Refused, AppError) as error:
            if isinstance(error, Refused):
                error.email = claims.email or None
            await self._send_away(access, claims)
            raise

    async def _redeem(
        self, access: TenantAccess, under_way: PendingSignOn, code: str
    ) -> tuple[dict[str, Any], IdentityClaims]:
        try:
            tokens = await self._brokering.exchange_code(access.client, code, under_way.code_verifier)
        except InvalidGrant as error:
            raise Refused("expired") from error
        claims = await self._verifier.verify_identity(tokens["id_token"], access.client)
        right_nonce = hmac.compare_digest(claims.nonce or "", under_way.nonce)
        if not right_nonce or claims.provider != under_way.provider:
            await self._keycloak.end_session(access.client.realm, claims.session_id)
            raise Refused("provider_error")
        return tokens, claims

    async def _find_or_enter(
        self,
        session: WriteSession,
        access: TenantAccess,
        config: TenantOAuthConfig,
        claims: IdentityClaims,
        expected: UUID | None,
    ) -> User:
        """Return who it is, made now if they are new and that is wanted.

        Raises:
            Refused: they are not let in.
        """
        if not claims.email or not claims.email_verified:
            raise Refused("email_unverified")
        if config.allowed_domains and claims.email.rpartition("@")[2] not in config.allowed_domains:
            raise Refused("domain_not_allowed")
        user = await crud.find_by_auth_id(session, claims.auth_id, access.tenant_id)
        if expected is not None and (user is None or user.id != expected):
            raise Refused("other_account")
        if user is None:
            if not config.auto_create_users:
                raise Refused("not_invited")
            return await self._enter(session, access, config, claims)
        if user.role == UserRole.SUPER_ADMIN:
            raise Refused("password_only")
        if user.status == UserStatus.DELETED:
            raise Refused("account_disabled")
        activate(user)
        return user

    async def _enter(
        self, session: WriteSession, access: TenantAccess, config: TenantOAuthConfig, claims: IdentityClaims
    ) -> User:
        if await crud.find_user_by_email(session, access.tenant_id, claims.email) is not None:
            raise Refused("account_conflict")
        defaults = ConfigData.model_validate(config.config_data)
        return await enter_newcomer(
            session,
            self._keycloak,
            access,
            claims,
            role=defaults.default_role,
            user_type=defaults.default_user_type,
        )

    async def _note(
        self,
        session: WriteSession,
        user: User,
        provider: str,
        access: TenantAccess,
        tokens: dict[str, Any],
        origin: Origin,
    ) -> None:
        external_id = await self._brokering.external_id(access.client.realm, user.auth_id, provider)
        if external_id is None:
            raise Refused("provider_error")
        await session.flush()
        await providers.link(session, user.tenant_id, user.id, provider, external_id)
        await note_session(session, user.auth_id, tokens, origin)
        record(
            session,
            Action.LOGIN,
            ResourceType.SESSION,
            tenant_id=user.tenant_id,
            user_id=user.id,
            actioned_by=user.id,
            resource_name=user.email,
            details={"success": True, "provider": provider, "username": user.email},
        )

    async def _keep(self, user: User, tokens: dict[str, Any]) -> str:
        token = secrets.token_urlsafe(32)
        await self._one_time.put("exchange_token", token, WaitingTokens(user_id=user.id, **tokens), _EXCHANGE)
        return token

    async def _send_away(self, access: TenantAccess, claims: IdentityClaims) -> None:
        """End the session at Keycloak; an account that nobody here knows is not left behind to hold its address."""
        realm = access.client.realm
        await self._keycloak.end_session(realm, claims.session_id)
        async with self._database.read() as session:
            known = await crud.find_by_auth_id(session, claims.auth_id, access.tenant_id)
        if known is None:
            await self._brokering.remove_newcomer(realm, claims.auth_id)

    async def exchange(self, token: str) -> TokenExchange:
        """Return the tokens that wait under the exchange token: once, within a minute.

        Raises:
            BadRequest: there are none, or no more.
        """
        waiting = await self._one_time.take("exchange_token", token, WaitingTokens)
        async with self._database.read() as session:
            user = await crud.user_by_id(session, waiting.user_id) if waiting is not None else None
        if waiting is None or user is None or user.status == UserStatus.DELETED:
            raise BadRequest("The token has been used or has expired; sign in again", param="exchange_token")
        return TokenExchange(
            access_token=waiting.access_token,
            refresh_token=waiting.refresh_token,
            expires_in=waiting.expires_in,
            user=ExchangedUser.model_validate(user),
        )


def _same_browser(under_way: PendingSignOn, binding: str | None) -> bool:
    return hmac.compare_digest(_hash(binding or ""), under_way.browser_hash or "")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _challenge(code_verifier: str) -> str:
    digest = hashlib.sha256(code_verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _with(url: str, **query: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *query.items()])))


SingleSignOnDep = Annotated[SingleSignOn, provided(SingleSignOn)]
