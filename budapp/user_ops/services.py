from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, after_rollback, now, release
from budapp.commons.errors import BadRequest, NotFound
from budapp.commons.hooks import hooks_of
from budapp.commons.scopes import Overrides, UserRole, UserType, scopes_of
from budapp.events.notify import create_subscriber, delete_subscriber, update_subscriber
from budapp.integrations.keycloak import Keycloak
from budapp.user_ops import crud, hooks
from budapp.user_ops.accounts import NewAccount, open_account, random_password
from budapp.user_ops.administrators import keep_an_administrator, rank_of
from budapp.user_ops.callers import Callers
from budapp.user_ops.crud import UserCrud
from budapp.user_ops.identity import caller_of
from budapp.user_ops.models import User, UserStatus
from budapp.user_ops.rights import manageable, refuse_deleted, refuse_more_than_own
from budapp.user_ops.schemas import UserCreate, UserQuery, UserUpdate
from budapp.user_ops.sessions import end_sessions, revoke_sessions


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new user, and the password that they are to be told once."""

    user: User
    password: str


async def list_users(
    session: ReadSession, caller: Caller, query: UserQuery, *, custom_role_id: UUID | None = None
) -> Page:
    """Return a page of the tenant's people, or of those with one custom role; deleted ones only where asked for."""
    return await UserCrud(session, caller).page_of_users(query, custom_role_id)


async def get_user(session: ReadSession, caller: Caller, user_id: UUID) -> Row[Any]:
    """Return the columns of a `UserInfo` about the person, deleted or not."""
    return await UserCrud(session, caller).view(user_id)


async def find_person(
    session: ReadSession, tenant_id: UUID, *, user_id: UUID | None = None, email: str = ""
) -> Row[Any]:
    """Return the columns of `identity.people` for one person of the tenant, deleted or not, by id or e-mail.

    Raises:
        NotFound: there is no such person.
    """
    row = await crud.find_person(session, tenant_id, user_id=user_id, email=email)
    if row is None:
        raise NotFound("User not found")
    return row


async def as_callers(session: ReadSession, user_ids: Collection[UUID]) -> list[Caller]:
    """Return those of the users who may sign in as callers without a session, to find out what they may see."""
    rows = await crud.admitted(session, user_ids)
    return [
        caller_of(
            row.User,
            realm=row.realm_name,
            session_id="",
            token_expires_at=now(),
            overrides=row.overrides,
            of_platform=row.is_platform,
        )
        for row in rows
    ]


async def ended_sessions(session: ReadSession, session_ids: Collection[str]) -> set[str]:
    """Return which of the sessions were ended."""
    return await crud.revoked(session, session_ids)


async def create_user(session: WriteSession, keycloak: Keycloak, caller: Caller, data: UserCreate) -> User:
    """Invite someone with the password given; they must change it.

    Raises:
        Forbidden: the role or a permission holds more than the caller does.
        Conflict: the tenant has someone with this e-mail.
    """
    overrides = data.overrides
    refuse_more_than_own(caller, scopes_of(data.role, data.user_type, overrides))
    if data.user_type is UserType.CLIENT and True in overrides.values():
        raise BadRequest("Client users can only have permissions in their own projects", param="permissions")
    account = NewAccount(
        tenant_id=caller.tenant_id,
        realm=caller.realm,
        status=UserStatus.INVITED,
        must_change_password=True,
        overrides=overrides,
        **data.model_dump(exclude={"permissions"}),
    )
    return await open_account(session, keycloak, account)


async def invite(
    session: WriteSession, keycloak: Keycloak, caller: Caller, *, email: str, user_type: UserType
) -> Invitation:
    """Invite someone as a developer, with a password made up for them.

    Raises:
        Conflict: the tenant has someone with this e-mail.
    """
    password = random_password()
    account = NewAccount(
        tenant_id=caller.tenant_id,
        realm=caller.realm,
        email=email,
        name=email.partition("@")[0],
        password=password,
        role=UserRole.DEVELOPER,
        user_type=user_type,
        status=UserStatus.INVITED,
        must_change_password=True,
    )
    return Invitation(await open_account(session, keycloak, account), password)


async def update_user(
    session: WriteSession, keycloak: Keycloak, callers: Callers, caller: Caller, user_id: UUID, data: UserUpdate
) -> User:
    """Change what is given: one's own data and password, or, with user:manage, another's and their role.

    A password set by someone else must be changed at the next sign-in, and ends the person's sessions; one's own ends
    one's other sessions.

    Raises:
        Forbidden: the person, or the new role, may do more than the caller.
        BadRequest: the person is deleted, or invited and asks for more than a password; or is the last administrator.
    """
    user = await manageable(session, caller, user_id)
    overrides = await UserCrud(session, caller).overrides_of(user_id)
    _check_update(caller, user, data, overrides)
    if data.role is not None or data.user_type is not None:
        user = await _change_role(session, keycloak, caller, user_id, data, overrides)
    else:
        await release(session)
    if data.name is not None:  # the one that may be refused comes before those that can't be taken back
        await keycloak.rename(caller.realm, user.auth_id, data.name)
    ended = await _set_password(keycloak, caller, user, data.password) if data.password else []
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    refuse_deleted(user)
    _apply(user, data, own=user.id == caller.user_id)
    if data.password is not None:
        _record_password(session, user)
        for clear in hooks_of(session).all(hooks.after_password_change):
            await clear(session, user)
    await revoke_sessions(session, ended, user)
    await update_subscriber(session, user_id=user.id, email=user.email, name=user.name)
    callers.forget_after_commit(session, user.id)
    return user


async def _change_role(
    session: WriteSession,
    keycloak: Keycloak,
    caller: Caller,
    user_id: UUID,
    data: UserUpdate,
    overrides: Overrides,
) -> User:
    """Give the role and the type, here and in Keycloak; whoever becomes a client loses a custom role.

    The row stays locked meanwhile, so that what Keycloak says is not mirrored between the two.
    """
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    _check_update(caller, user, data, overrides)
    rank = await rank_of(session, user)
    if data.user_type is UserType.CLIENT:
        user.custom_role = None
    former, user.role = user.role, data.role or user.role
    user.user_type = data.user_type or user.user_type
    await keep_an_administrator(session, user, rank)
    if user.role != former:
        await _set_realm_role(session, keycloak, caller, user)
    return user


async def delete_user(
    session: WriteSession,
    keycloak: Keycloak,
    callers: Callers,
    caller: Caller,
    user_id: UUID,
    *,
    remove_credential: bool,
) -> None:
    """Take the person out: no sign-in, no session; the row stays for the record.

    Raises:
        Forbidden: the person may do more than the caller.
        BadRequest: it is the caller or the last administrator, or they have things that must go first.
    """
    await manageable(session, caller, user_id)
    if user_id == caller.user_id:
        raise BadRequest("You can't delete yourself")
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    refuse_deleted(user)
    rank = await rank_of(session, user)
    for check in hooks_of(session).all(hooks.before_deletion):
        await check(session, user.id, remove_credential)
    user.status = UserStatus.DELETED
    await keep_an_administrator(session, user, rank)
    await delete_subscriber(session, user_id=user.id)
    callers.forget_after_commit(session, user.id)
    await _set_enabled(session, keycloak, caller, user, enabled=False)
    await revoke_sessions(session, await end_sessions(keycloak, caller.realm, user), user)


async def reactivate_user(
    session: WriteSession, keycloak: Keycloak, callers: Callers, caller: Caller, user_id: UUID
) -> User:
    """Let a deleted person in again, as active.

    Raises:
        Forbidden: the person may do more than the caller.
        BadRequest: they are not deleted.
    """
    await manageable(session, caller, user_id)
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    if user.status != UserStatus.DELETED:
        raise BadRequest("Only a deleted user can be reactivated")
    user.status = UserStatus.ACTIVE
    for clear in hooks_of(session).all(hooks.after_reactivation):
        await clear(session, user)
    await create_subscriber(session, user_id=user.id, email=user.email, name=user.name)
    await _set_enabled(session, keycloak, caller, user, enabled=True)
    callers.forget_after_commit(session, user.id)
    return user


async def subscribe_user(session: WriteSession, caller: Caller, user_id: UUID) -> None:
    """Let the notification service know the person; one whom it knows stays as they are.

    Raises:
        NotFound: the tenant has no such person.
        Forbidden: the person may do more than the caller.
        BadRequest: they are deleted.
    """
    await manageable(session, caller, user_id)
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    refuse_deleted(user)
    await create_subscriber(session, user_id=user.id, email=user.email, name=user.name)
    record(
        session,
        Action.UPDATE,
        ResourceType.USER,
        user_id=user.id,
        resource_id=user.id,
        resource_name=user.name,
        details={"operation": "subscribe"},
    )


async def _set_password(keycloak: Keycloak, caller: Caller, user: User, password: str) -> list[str]:
    """Set the password, end the sessions that rest on the old one, and return their ids."""
    await keycloak.set_password(caller.realm, user.auth_id, password)
    return await end_sessions(keycloak, caller.realm, user, but=caller.session_id)


async def complete_onboarding(session: WriteSession, caller: Caller) -> User:
    """Mark the caller's onboarding as completed.

    Raises:
        BadRequest: they have not set their password yet, or are through already.
    """
    user = await UserCrud(session, caller).get(caller.user_id, for_update=True)
    if user.status != UserStatus.ACTIVE or not user.first_login:
        raise BadRequest("Onboarding is already complete")
    user.first_login = False
    return user


def _check_update(caller: Caller, user: User, data: UserUpdate, overrides: Overrides) -> None:
    refuse_deleted(user)
    asked = data.model_dump(exclude_none=True)
    changes_role = data.role not in {None, user.role} or data.user_type not in {None, user.user_type}
    if user.id == caller.user_id:
        if changes_role:
            raise BadRequest("You can't change your own role", param="role")
        if user.status == UserStatus.INVITED and asked.keys() - {"password"}:
            raise BadRequest("Set your own password first", param="password")
    elif changes_role:
        refuse_more_than_own(caller, scopes_of(data.role or user.role, data.user_type or user.user_type, overrides))


def _record_password(session: WriteSession, user: User) -> None:
    record(
        session,
        Action.PASSWORD_CHANGE,
        ResourceType.USER,
        user_id=user.id,
        resource_id=user.id,
        resource_name=user.name,
    )


def _apply(user: User, data: UserUpdate, *, own: bool) -> None:
    for name, value in data.model_dump(exclude_none=True, exclude={"password", "role", "user_type"}).items():
        setattr(user, name, value)
    if data.password is None:
        return
    user.is_reset_password = not own
    if own:
        user.first_login = False
        user.status = UserStatus.ACTIVE


async def _set_enabled(session: WriteSession, keycloak: Keycloak, caller: Caller, user: User, *, enabled: bool) -> None:
    """Change Keycloak last, once nothing else can be refused, and change it back if the commit fails."""
    await session.flush()
    auth_id = user.auth_id  # the row can't be read any more when it was rolled back
    await keycloak.set_enabled(caller.realm, auth_id, enabled=enabled)

    async def take_back() -> None:
        await keycloak.set_enabled(caller.realm, auth_id, enabled=not enabled)

    after_rollback(session, take_back)


async def _set_realm_role(session: WriteSession, keycloak: Keycloak, caller: Caller, user: User) -> None:
    """Change Keycloak once nothing else can be refused; if the commit fails, what it held before comes back."""
    await session.flush()
    auth_id, role = user.auth_id, user.role
    before = await keycloak.set_role(caller.realm, auth_id, role, list(UserRole))

    async def take_back() -> None:
        await keycloak.restore_roles(caller.realm, auth_id, role, before, list(UserRole))

    after_rollback(session, take_back)
