"""Realm roles come from Keycloak, and so does whether somebody is let in; rows here follow.

What we change ourselves we change in both places. What is changed in Keycloak's console shows here at the next sign-in,
and for everyone by a job that compares each realm with our rows. It only ever reads Keycloak: a demotion made there is
never undone from here, even where it takes the tenant its last administrator.
"""

from collections.abc import Collection
from functools import partial
from operator import itemgetter
from typing import Any
from uuid import UUID

from budapp.commons.database import Database, WriteSession
from budapp.commons.errors import PeerFailed, Unavailable
from budapp.commons.isolation import each_isolated
from budapp.commons.logging import get_logger
from budapp.commons.scopes import UserRole
from budapp.events.notify import delete_subscriber
from budapp.integrations.keycloak import AccountState, Keycloak
from budapp.tenant_ops.services import active_realms
from budapp.user_ops import crud
from budapp.user_ops.administrators import rank_of, ranks_besides
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import User, UserStatus
from budapp.user_ops.sessions import end_sessions, revoke_sessions

logger = get_logger(__name__)

_PRECEDENCE = (UserRole.SUPER_ADMIN, UserRole.ADMIN, UserRole.DEVOPS, UserRole.TESTER, UserRole.DEVELOPER)
_LEAST = UserRole.TESTER
_SECONDS_PER_TENANT = 120


def role_of(realm_roles: Collection[str]) -> UserRole:
    """Return the role that counts: the first of several, and for somebody with none of ours the one with the least."""
    return next((role for role in _PRECEDENCE if role in realm_roles), _LEAST)


class KeycloakMirror:
    """Brings rows in line with what Keycloak says of the people."""

    def __init__(self, database: Database, keycloak: Keycloak, callers: Callers) -> None:
        self._database = database
        self._keycloak = keycloak
        self._callers = callers

    async def mirror_all(self) -> None:
        """Follow every active tenant's realm; one that fails keeps none of the others back."""
        async with self._database.read() as session:
            realms = await active_realms(session)
        await each_isolated(
            self._database,
            "mirror_keycloak",
            realms,
            lambda tenant: self.mirror_tenant(*tenant),
            key=itemgetter(0),
            seconds=_SECONDS_PER_TENANT,
        )

    async def mirror_tenant(self, tenant_id: UUID, realm: str) -> None:
        """Follow one realm. One that knows nobody of the tenant has been lost or emptied, and nobody is put out.

        Raises:
            Unavailable, PeerFailed: Keycloak did not answer as it should.
        """
        async with self._database.read() as session:
            people = await crud.present_accounts(session, tenant_id)
        accounts = await self._keycloak.accounts(realm, list(UserRole))
        if people and not any(person.auth_id in accounts for person in people):
            logger.error("realm_knows_nobody", realm=realm, people=len(people))
            return
        differing = [person.id for person in people if _differs(person, accounts.get(person.auth_id))]
        mirror = partial(self.mirror_user, realm=realm)
        await each_isolated(
            self._database, "mirror_keycloak_users", differing, mirror, passing=(Unavailable, PeerFailed)
        )

    async def mirror_user(self, user_id: UUID, realm: str) -> None:
        """Bring one person in line.

        Keycloak is asked under the lock of the row, which our own changes of the two hold as well: what was read before
        one of those is never written after it.

        Raises:
            Unavailable, PeerFailed: Keycloak did not answer as it should.
        """
        async with self._database.write() as session:
            user = await crud.lock(session, user_id)
            if user is None or user.status == UserStatus.DELETED:
                return
            account = await self._keycloak.account(realm, user.auth_id, list(UserRole))
            rank = await rank_of(session, user)
            if account is None or not account.enabled:
                await self._put_out(session, user, realm, account)
            else:
                _take_role(user, role_of(account.roles))
            self._callers.forget_after_commit(session, user.id)
            await session.flush()
            left = rank is not None and await rank_of(session, user) is None
            if left and not await ranks_besides(session, user):
                logger.error("tenant_without_administrator", tenant_id=str(user.tenant_id), realm=realm)

    async def _put_out(self, session: WriteSession, user: User, realm: str, account: AccountState | None) -> None:
        logger.warning("user_out_by_keycloak", user_id=str(user.id), gone=account is None)
        user.status = UserStatus.DELETED
        await delete_subscriber(session, user_id=user.id)
        if account is not None:
            await revoke_sessions(session, await end_sessions(self._keycloak, realm, user))


def _differs(person: Any, account: AccountState | None) -> bool:
    return account is None or not account.enabled or role_of(account.roles) != person.role


def _take_role(user: User, role: UserRole) -> None:
    if user.role == role:
        return
    logger.warning("role_by_keycloak", user_id=str(user.id), before=user.role, after=role)
    user.role = role
    if role is UserRole.SUPER_ADMIN:
        user.custom_role = None
