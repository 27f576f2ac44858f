import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import LockError, LockNotOwnedError
from sqlalchemy.exc import SQLAlchemyError

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.auth import crud
from budapp.auth.provisioning import make_first_project
from budapp.auth.schemas import Login, LoginAnswer, Tokens
from budapp.auth.sign_in_limits import Familiarity, SignInLimits
from budapp.auth.token_refresh import TokenRefresh
from budapp.auth.tokens import TokenVerifier, unverified_claims
from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import Database, ReadSession, WriteSession
from budapp.commons.domain import provided
from budapp.commons.errors import BadRequest, TooManyRequests, Unauthenticated, Unavailable
from budapp.commons.logging import get_logger
from budapp.commons.origin import Origin
from budapp.commons.rate_limits import RateLimiter
from budapp.commons.scopes import UserRole, UserType
from budapp.commons.timing import until_after
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.keycloak_errors import InvalidGrant
from budapp.oauth_ops.services import password_allowed
from budapp.session_ops.services import familiarity_of, has_later_token, note_renewal, note_session
from budapp.tenant_ops.services import TenantAccess, find_access
from budapp.user_ops.accounts import NewAccount, open_account
from budapp.user_ops.callers import Callers
from budapp.user_ops.keycloak_mirror import KeycloakMirror, role_of
from budapp.user_ops.models import User, UserStatus
from budapp.user_ops.schemas import UserRegistration
from budapp.user_ops.sessions import revoke_sessions

logger = get_logger(__name__)

_SIGN_IN_SECONDS = 15
_LOGIN_REFUSED = "Incorrect e-mail address or password"
_SIGN_IN_AGAIN = "Sign in again"
_REUSED = "refresh token reused"


class AuthService:
    """Signing in, staying signed in, signing out, and registering."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keycloak: Keycloak,
        verifier: TokenVerifier,
        valkey: Redis,
        callers: Callers,
        token_refresh: TokenRefresh,
        mirror: KeycloakMirror,
        rate_limiter: RateLimiter,
    ) -> None:
        self._settings = settings
        self._database = database
        self._keycloak = keycloak
        self._verifier = verifier
        self._valkey = valkey
        self._callers = callers
        self._token_refresh = token_refresh
        self._mirror = mirror
        self._rate_limiter = rate_limiter
        self._limits = SignInLimits(settings, valkey)

    async def login(self, data: Login, origin: Origin) -> LoginAnswer:
        """Return tokens for the password.

        Raises:
            BadRequest: wrong password, unknown, locked or disabled account, unknown tenant, or a client's account
                where an administrator's was asked for: one answer, no sooner than `LOGIN_FAILURE_SECONDS`.
            TooManyRequests: too many tries have failed; see `SignInLimits`.
        """
        started = time.monotonic()
        access = await self._access(tenant_id=data.tenant_id, realm=data.tenant)
        tenant = access.tenant_id if access is not None else str(data.tenant_id or data.tenant)
        user = await self._find_by_email(access, data.email)
        familiarity = await self._familiarity(user, origin)
        locked_out = user if familiarity != "stranger" else None
        async with (
            self._one_at_a_time(f"{tenant}:{data.email}"),
            self._limits.trying(tenant, data.email, origin, familiarity) as trying,
        ):
            signed_in = await self._sign_in(data, access, locked_out)
            trying.succeeded = signed_in is not None
        if signed_in is None:
            await until_after(started, self._settings.login_failure_seconds)
            raise BadRequest(_LOGIN_REFUSED)
        tokens, user = signed_in
        await self._note(user.auth_id, tokens, origin)
        return LoginAnswer(
            token=Tokens.model_validate(tokens), first_login=user.first_login, is_reset_password=user.is_reset_password
        )

    async def _find_by_email(self, access: TenantAccess | None, email: str) -> User | None:
        if access is None:
            return None
        async with self._database.read() as session:
            return await crud.find_user_by_email(session, access.tenant_id, email)

    async def _familiarity(self, user: User | None, origin: Origin) -> Familiarity:
        if user is None:
            return "stranger"
        async with self._database.read() as session:
            return await familiarity_of(session, user.id, origin)

    async def _sign_in(
        self, data: Login, access: TenantAccess | None, locked_out: User | None = None
    ) -> tuple[dict[str, Any], User] | None:
        """Return the tokens and whose they are; `locked_out`: whose lock at Keycloak is lifted, if there is one."""
        if access is None:
            await self._record_sign_in(data, None, reason="no such tenant")
            return None
        try:
            tokens = await self._ask_for_tokens(data, access, locked_out)
        except InvalidGrant:
            await self._record_sign_in(data, access.tenant_id, reason="refused by Keycloak")
            return None
        claims = unverified_claims(tokens["access_token"])
        auth_id = str(claims.get("sub"))
        async with self._database.read() as session:
            user = await crud.find_user(session, access.tenant_id, auth_id)
            refusal = await _refusal(session, user, data)
        if user is None or refusal is not None:
            await self._record_sign_in(data, access.tenant_id, user, reason=refusal)
            await self._keycloak.sign_out(access.client, tokens["refresh_token"])
            return None
        if role_of(claims.get("realm_access", {}).get("roles", ())) != user.role:
            await self._mirror.mirror_user(user.id, access.client.realm)
        await self._record_sign_in(data, access.tenant_id, user)
        return tokens, user

    async def _ask_for_tokens(self, data: Login, access: TenantAccess, locked_out: User | None) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            return await self._keycloak.sign_in(access.client, data.email, data.password, remember=data.remember_me)

        try:
            return await ask()
        except InvalidGrant:
            if locked_out is None or not await self._keycloak.unlock(access.client.realm, locked_out.auth_id):
                raise
            return await ask()

    async def _record_sign_in(
        self, data: Login, tenant_id: UUID | None, user: User | None = None, *, reason: str | None = None
    ) -> None:
        """Leave an entry of the try; of a failed one with the e-mail that was given, whether or not it is known."""
        async with self._database.write() as session:
            if user is None and tenant_id is not None:
                user = await crud.find_user_by_email(session, tenant_id, data.email)
            user_id = user.id if user is not None else None
            record(
                session,
                Action.LOGIN if reason is None else Action.LOGIN_FAILED,
                ResourceType.SESSION,
                tenant_id=tenant_id,
                user_id=user_id,
                actioned_by=user_id if reason is None else None,
                resource_name=data.email,
                details={"success": reason is None, "username": data.email} | ({"reason": reason} if reason else {}),
            )

    @asynccontextmanager
    async def _one_at_a_time(self, account: str) -> AsyncIterator[None]:
        """Let one sign-in of an account through, on all replicas: Keycloak takes parallel ones for an attack.

        Raises:
            Unavailable: others were faster for too long.
        """
        lock = self._valkey.lock(f"sign_in:{account}", timeout=_SIGN_IN_SECONDS, blocking_timeout=_SIGN_IN_SECONDS)
        try:
            async with lock:
                yield
        except LockNotOwnedError:
            logger.warning("sign_in_was_slow", account=account)
        except LockError as error:
            raise Unavailable from error

    async def _access(self, *, tenant_id: UUID | None = None, realm: str | None = None) -> TenantAccess | None:
        async with self._database.read() as session:
            return await find_access(
                session,
                self._database.encryption,
                tenant_id=tenant_id,
                realm=realm or self._settings.default_realm_name,
            )

    async def refresh(self, refresh_token: str, origin: Origin) -> Tokens:
        """Return new tokens; the old refresh token counts no more, and its later reuse ends the session.

        Raises:
            Unauthenticated: the token is not valid, has expired or was used before.
            TooManyRequests: its session has been renewed too often.
        """

        async def renew() -> dict[str, Any]:
            return await self._renew_within_limit(refresh_token, origin)

        return Tokens.model_validate(await self._token_refresh.once(refresh_token, renew))

    async def _renew_within_limit(self, refresh_token: str, origin: Origin) -> dict[str, Any]:
        """Renew a session unless that was done too often; only what Keycloak took counts, so nobody else can."""
        count = (self._settings.rate_limit_refresh, "renewals", str(unverified_claims(refresh_token).get("sid")))
        await self._rate_limiter.check(*count)
        tokens = await self._renew(refresh_token, origin)
        with suppress(TooManyRequests, Unavailable):
            await self._rate_limiter.hit(*count)
        return tokens

    async def _renew(self, refresh_token: str, origin: Origin) -> dict[str, Any]:
        realm = self._verifier.realm_of_issuer(unverified_claims(refresh_token).get("iss"))
        access = await self._access(realm=realm) if realm else None
        if access is None:
            raise Unauthenticated(_SIGN_IN_AGAIN)
        try:
            tokens = await self._keycloak.refresh(access.client, refresh_token)
        except InvalidGrant as error:
            if await self._keycloak.sign_out(access.client, refresh_token) and await self._was_reused(refresh_token):
                await self._end_session_of(access, refresh_token, reason=_REUSED)
            raise Unauthenticated(_SIGN_IN_AGAIN) from error
        if not await self._note_renewal(refresh_token, tokens, origin):
            await self._end_session_of(access, refresh_token, reason=_REUSED)
            raise Unauthenticated(_SIGN_IN_AGAIN)
        return tokens

    async def _was_reused(self, refresh_token: str) -> bool:
        """Tell whether a genuine token was refused because it had been used, rather than with its session's end."""
        async with self._database.read() as session:
            return await has_later_token(session, refresh_token)

    async def _note_renewal(self, refresh_token: str, tokens: dict[str, Any], origin: Origin) -> bool:
        """Note the renewal; tell whether the token was the session's current one, as far as that can be known.

        Keycloak alone is not enough: it takes an earlier token again within one second, and after a restart.
        """
        try:
            async with self._database.write() as session:
                return await note_renewal(session, refresh_token, tokens, origin)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("session_not_noted", reason=repr(error))
            return True

    async def _note(self, auth_id: str, tokens: dict[str, Any], origin: Origin) -> None:
        """Note where the tokens went; they are given out all the same where that fails, as the old ones are gone."""
        try:
            async with self._database.write() as session:
                await note_session(session, auth_id, tokens, origin)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("session_not_noted", reason=repr(error))

    async def _end_session_of(self, access: TenantAccess, refresh_token: str, *, reason: str | None = None) -> None:
        """End the session of a refresh token whose signature Keycloak has checked."""
        claims = unverified_claims(refresh_token)
        session_id, auth_id = claims.get("sid"), claims.get("sub")
        logger.warning("session_ended", session=session_id, user=auth_id, reason=reason)
        if isinstance(session_id, str) and isinstance(auth_id, str):
            await self._keycloak.end_session(access.client.realm, session_id)
            async with self._database.write() as session:
                await self._revoke(session, session_id, auth_id, reason=reason)

    async def _revoke(self, session: WriteSession, session_id: str, auth_id: str, *, reason: str | None = None) -> None:
        user = await crud.find_by_auth_id(session, auth_id)
        await revoke_sessions(session, [session_id], user, reason=reason)
        if user is not None:
            self._callers.forget_after_commit(session, user.id)

    async def logout(self, refresh_token: str, caller: Caller | None) -> None:
        """End the refresh token's session, and the caller's own where one is signed in; an ended one is no error."""
        if caller is not None:
            async with self._database.write() as session:
                await self._revoke(session, caller.session_id, caller.auth_id)
        realm = self._verifier.realm_of_issuer(unverified_claims(refresh_token).get("iss"))
        access = await self._access(realm=realm) if realm else None
        if access is not None and await self._keycloak.sign_out(access.client, refresh_token):
            await self._end_session_of(access, refresh_token)
        if caller is not None:
            await self._keycloak.end_session(caller.realm, caller.session_id)

    async def register(self, session: WriteSession, data: UserRegistration) -> User:
        """Make a customer's user of the default tenant, with a first project; what they may do is not theirs to say.

        Raises:
            Conflict: the e-mail is taken.
        """
        access = await self._access()
        if access is None:
            raise Unavailable("Registration is disabled")
        account = NewAccount(
            tenant_id=access.tenant_id,
            realm=access.client.realm,
            role=UserRole.DEVELOPER,
            user_type=UserType.CLIENT,
            status=UserStatus.ACTIVE,
            must_change_password=False,
            **data.model_dump(),
        )
        user = await open_account(session, self._keycloak, account)
        await make_first_project(session, user, account.realm)
        return user


async def _refusal(session: ReadSession, user: User | None, data: Login) -> str | None:
    """Return why somebody with the right password is not let in.

    A super administrator can always use the password: otherwise a broken provider would lock everyone out.
    """
    if user is None:
        return "no such user here"
    if data.user_type is UserType.ADMIN and user.user_type == UserType.CLIENT:
        return "client as administrator"
    if user.role != UserRole.SUPER_ADMIN and not await password_allowed(session, user.tenant_id, user.email):
        return "must sign in at the provider"
    return None


AuthServiceDep = Annotated[AuthService, provided(AuthService)]
