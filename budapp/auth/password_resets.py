"""Setting a password with a link that comes by mail: a new one, or the first one of somebody who is invited."""

import hashlib
import secrets
import time
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.auth import crud
from budapp.auth.models import PasswordReset
from budapp.auth.schemas import ResetWithToken
from budapp.commons.access import Caller
from budapp.commons.config import Settings
from budapp.commons.database import Database, ReadSession, WriteSession, now
from budapp.commons.domain import provided
from budapp.commons.errors import BadRequest
from budapp.commons.rate_limits import RateLimiter
from budapp.commons.scopes import UserType
from budapp.commons.timing import until_after
from budapp.events.notify import send_mail
from budapp.integrations.keycloak import Keycloak
from budapp.tenant_ops.services import find_id
from budapp.user_ops.accounts import note_own_password, random_password
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import User, UserStatus
from budapp.user_ops.rights import manageable
from budapp.user_ops.schemas import UserCreate, UserInvite
from budapp.user_ops.services import create_user
from budapp.user_ops.sessions import end_sessions, revoke_sessions

VALID_FOR = timedelta(minutes=30)
INVITATION_VALID_FOR = timedelta(hours=72)


class PasswordResets:
    """Giving out the links, looking at them, and using them up."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keycloak: Keycloak,
        callers: Callers,
        rate_limiter: RateLimiter,
    ) -> None:
        self._settings = settings
        self._database = database
        self._keycloak = keycloak
        self._callers = callers
        self._rate_limiter = rate_limiter

    async def request(self, email: str, *, tenant_id: UUID | None, tenant: str | None) -> None:
        """Mail a link to whoever has this e-mail, if anybody; an earlier link counts no more.

        Takes at least `LOGIN_FAILURE_SECONDS`, so that the time does not tell whether there was anybody.

        Raises:
            TooManyRequests: a link for this account was asked for too often.
        """
        started = time.monotonic()
        realm = tenant or self._settings.default_realm_name
        async with self._database.read() as session:
            found = await find_id(session, tenant_id=tenant_id, realm=realm)
        account = f"{found or tenant_id or realm}:{email}"
        await self._rate_limiter.hit(self._settings.rate_limit_reset, "password resets", account)
        async with self._database.write() as session:
            await self._mail_link(session, email, found)
        await until_after(started, self._settings.login_failure_seconds)

    async def _mail_link(self, session: WriteSession, email: str, tenant_id: UUID | None) -> None:
        user = await crud.find_user_by_email(session, tenant_id, email) if tenant_id else None
        if user is not None:
            # Whoever knows the address can ask: that must not cut an invitation short.
            invited = user.status == UserStatus.INVITED
            await self._mail_to(session, user, INVITATION_VALID_FOR if invited else VALID_FOR)
            _record(session, user, "requested")

    async def invite(self, session: WriteSession, caller: Caller, data: UserInvite) -> User:
        """Make somebody a user of the caller's tenant, and mail them a link to set their first password.

        Raises:
            Forbidden: the role holds more than the caller does.
            Conflict: the tenant has someone with this e-mail.
        """
        name = data.name or data.email.partition("@")[0]
        account = UserCreate(
            name=name, email=data.email, password=random_password(), role=data.role, user_type=data.user_type
        )
        user = await create_user(session, self._keycloak, caller, account)
        await self._mail_to(session, user, INVITATION_VALID_FOR)
        return user

    async def invite_again(self, session: WriteSession, caller: Caller, user_id: UUID) -> User:
        """E-mail a new link to a user who has not set a password yet; the earlier link stops working.

        Raises:
            NotFound: the tenant has no such person.
            Forbidden: the person may do more than the caller.
            BadRequest: they are in already, or deleted.
        """
        user = await manageable(session, caller, user_id)
        if user.status != UserStatus.INVITED:
            raise BadRequest("Only a user with a pending invitation can be invited again")
        await self._mail_to(session, user, INVITATION_VALID_FOR)
        _record(session, user, "invited again")
        return user

    async def _mail_to(self, session: WriteSession, user: User, valid_for: timedelta) -> None:
        token = secrets.token_urlsafe(32)
        await crud.replace_reset(
            session,
            PasswordReset(
                tenant_id=user.tenant_id, user_id=user.id, token_hash=_hash(token), expires_at=now() + valid_for
            ),
        )
        content = {
            "user_name": user.name,
            "token": token,
            "reset_url": f"{self._frontend(user)}/reset-password?token={token}",
            "expires_in_minutes": int(valid_for.total_seconds() // 60),
        }
        await send_mail(session, name="bud-reset-password", user_id=user.id, content=content)

    def _frontend(self, user: User) -> str:
        settings = self._settings
        url = settings.frontend_url if user.user_type == UserType.CLIENT else settings.admin_frontend_url
        return url.rstrip("/")

    async def find(self, session: ReadSession, token: str) -> tuple[PasswordReset, User] | None:
        """Return what the token is good for, if it is."""
        return await crud.find_reset(session, _hash(token))

    async def use(self, session: WriteSession, data: ResetWithToken) -> None:
        """Set the password, use the token up, and end the person's sessions.

        Should Keycloak refuse or fail, the token is still good.

        Raises:
            BadRequest: the token is unknown, used, replaced or too old.
            UnprocessableContent: the password does not meet the rules of the realm.
        """
        found = await crud.find_reset(session, _hash(data.token), for_update=True)
        if found is None:
            raise BadRequest("This link is invalid or has expired; request a new one", param="token")
        reset, user = found
        await session.delete(reset)
        note_own_password(user)
        await session.flush()
        realm = await crud.realm_of(session, user)
        await self._keycloak.set_password(realm, user.auth_id, data.new_password)
        _record(session, user, "used")
        await revoke_sessions(session, await end_sessions(self._keycloak, realm, user), user)
        self._callers.forget_after_commit(session, user.id)


def _record(session: WriteSession, user: User, stage: str) -> None:
    record(
        session,
        Action.PASSWORD_RESET,
        ResourceType.USER,
        tenant_id=user.tenant_id,
        user_id=user.id,
        resource_id=user.id,
        resource_name=user.name,
        details={"stage": stage},
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


PasswordResetsDep = Annotated[PasswordResets, provided(PasswordResets)]
