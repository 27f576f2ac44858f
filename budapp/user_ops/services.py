from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession, after_rollback, release
from budapp.commons.errors import BadRequest, Forbidden
from budapp.commons.scopes import Scope, UserRole, UserType, scopes_of, with_implied
from budapp.events.notify import create_subscriber, delete_subscriber, update_subscriber
from budapp.integrations.keycloak import Keycloak
from budapp.user_ops import contents
from budapp.user_ops.accounts import NewAccount, open_account, random_password
from budapp.user_ops.callers import Callers
from budapp.user_ops.crud import UserCrud
from budapp.user_ops.models import User, UserStatus
from budapp.user_ops.schemas import PermissionGrant, UserCreate, UserQuery, UserUpdate
from budapp.user_ops.sessions import end_sessions, revoke_sessions


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new user, and the password that they are to be told once."""

    user: User
    password: str


async def list_users(session: ReadSession, caller: Caller, query: UserQuery) -> Page:
    """Return a page of the tenant's people; deleted ones only where `query.status` asks for them."""
    return await UserCrud(session, caller).page_of_users(query)


async def get_user(session: ReadSession, caller: Caller, user_id: UUID) -> User:
    """Return the person, deleted or not."""
    return await UserCrud(session, caller).get(user_id)


async def create_user(session: WriteSession, keycloak: Keycloak, caller: Caller, data: UserCreate) -> User:
    """Invite someone with the password given; they must change it.

    Raises:
        Forbidden: the role or a permission holds more than the caller does.
        Conflict: the tenant has someone with this e-mail.
    """
    _refuse_more_than_own(caller, scopes_of(data.role, data.user_type, data.granted))
    if data.user_type is UserType.CLIENT and data.granted:
        raise BadRequest("Client users hold no permissions beside their own projects", param="permissions")
    account = NewAccount(
        tenant_id=caller.tenant_id,
        realm=caller.realm,
        status=UserStatus.INVITED,
        must_change_password=True,
        scopes=data.granted,
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
        BadRequest: the person is deleted, or invited and asks for more than a password.
    """
    user = await manageable(session, caller, user_id)
    _check_update(caller, user, data, await UserCrud(session, caller).grants_of(user_id))
    await release(session)
    if data.name is not None:  # the one that may be refused comes before those that can't be taken back
        await keycloak.rename(caller.realm, user.auth_id, data.name)
    ended = await _set_password(keycloak, caller, user, data.password) if data.password else []
    if data.role is not None and data.role != user.role:
        await keycloak.set_role(caller.realm, user.auth_id, data.role, list(UserRole))
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    _refuse_deleted(user)
    _apply(user, data, own=user.id == caller.user_id)
    await revoke_sessions(session, ended)
    await update_subscriber(session, user_id=user.id, email=user.email, name=user.name)
    callers.forget_after_commit(session, user.id)
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
        BadRequest: it is the caller or a super administrator, or they have things that must go first.
    """
    user = await manageable(session, caller, user_id)
    _refuse_deleted(user)
    if user.role == UserRole.SUPER_ADMIN or user.id == caller.user_id:
        raise BadRequest("Neither a super administrator nor oneself can be deleted")
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    await contents.clear(session, user.id, remove_credentials=remove_credential)
    user.status = UserStatus.DELETED
    await delete_subscriber(session, user_id=user.id)
    callers.forget_after_commit(session, user.id)
    await _set_enabled(session, keycloak, caller, user, enabled=False)
    await revoke_sessions(session, await end_sessions(keycloak, caller.realm, user))


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
    await create_subscriber(session, user_id=user.id, email=user.email, name=user.name)
    await _set_enabled(session, keycloak, caller, user, enabled=True)
    callers.forget_after_commit(session, user.id)
    return user


async def _set_password(keycloak: Keycloak, caller: Caller, user: User, password: str) -> list[str]:
    """Set the password, end the sessions that rest on the old one, and return their ids."""
    await keycloak.set_password(caller.realm, user.auth_id, password)
    return await end_sessions(keycloak, caller.realm, user, but=caller.session_id)


async def scopes_held(session: ReadSession, caller: Caller, user_id: UUID) -> frozenset[str]:
    """Return all that a person of the tenant holds, by role and by direct grants."""
    crud = UserCrud(session, caller)
    user = await crud.get(user_id)
    return scopes_of(user.role, user.user_type, await crud.grants_of(user_id))


async def change_grants(
    session: WriteSession, callers: Callers, caller: Caller, user_id: UUID, grants: Sequence[PermissionGrant]
) -> frozenset[str]:
    """Grant and take back scopes beside those of the role, and return all that the person holds then.

    Raises:
        Forbidden: the person may do more than the caller, or would.
        BadRequest: it is the caller, or a deleted, client or super user; or what is to go is held by role, or implied.
    """
    if user_id == caller.user_id:
        raise BadRequest("You can't change your own permissions")
    await manageable(session, caller, user_id)
    crud = UserCrud(session, caller)
    user = await crud.get(user_id, for_update=True)
    _refuse_deleted(user)
    if user.role == UserRole.SUPER_ADMIN or user.user_type == UserType.CLIENT:
        raise BadRequest("The permissions of super administrators and clients are fixed")
    wanted = {grant.name for grant in grants if grant.has_permission}
    unwanted = {grant.name for grant in grants if not grant.has_permission}
    _refuse_more_than_own(caller, with_implied(wanted))
    await crud.grant(user, wanted - scopes_of(user.role, user.user_type))
    await crud.revoke(user, unwanted)
    held = scopes_of(user.role, user.user_type, await crud.grants_of(user_id))
    if held & unwanted:
        still = ", ".join(sorted(held & unwanted))
        raise BadRequest(f"The role, or a permission that implies it, still holds {still}", param="name")
    callers.forget_after_commit(session, user_id)
    return held


async def complete_onboarding(session: WriteSession, caller: Caller) -> User:
    """Note that the caller has been through the first steps.

    Raises:
        BadRequest: they have not set their password yet, or are through already.
    """
    user = await UserCrud(session, caller).get(caller.user_id, for_update=True)
    if user.status != UserStatus.ACTIVE or not user.first_login:
        raise BadRequest("There is no onboarding to complete")
    user.first_login = False
    return user


async def manageable(session: ReadSession, caller: Caller, user_id: UUID) -> User:
    """Return the person if they are the caller, or one whom the caller may manage.

    Raises:
        NotFound: the tenant has no such person.
        Forbidden: the caller lacks user:manage, or the person may do more than the caller.
    """
    crud = UserCrud(session, caller)
    if user_id == caller.user_id:
        return await crud.get(user_id)
    if caller.status != UserStatus.ACTIVE or not caller.may(Scope.USER_MANAGE):
        raise Forbidden(f"This needs the permission {Scope.USER_MANAGE}")
    user = await crud.get(user_id)
    _refuse_more_than_own(caller, scopes_of(user.role, user.user_type, await crud.grants_of(user_id)))
    return user


def _refuse_more_than_own(caller: Caller, scopes: frozenset[str]) -> None:
    beyond = scopes - caller.scopes - {Scope.CLIENT_ACCESS}
    if beyond:
        raise Forbidden(f"That is more than you hold yourself: {', '.join(sorted(beyond))}")


def _refuse_deleted(user: User) -> None:
    if user.status == UserStatus.DELETED:
        raise BadRequest("This user is deleted; reactivate them first")


def _check_update(caller: Caller, user: User, data: UserUpdate, granted: Sequence[str]) -> None:
    _refuse_deleted(user)
    asked = data.model_dump(exclude_none=True)
    changes_role = data.role not in {None, user.role} or data.user_type not in {None, user.user_type}
    if user.id == caller.user_id:
        if changes_role:
            raise BadRequest("You can't change your own role", param="role")
        if user.status == UserStatus.INVITED and asked.keys() - {"password"}:
            raise BadRequest("Set a password of your own first", param="password")
    elif changes_role:
        if user.role == UserRole.SUPER_ADMIN:
            raise BadRequest("A super administrator's role can't be changed", param="role")
        _refuse_more_than_own(caller, scopes_of(data.role or user.role, data.user_type or user.user_type, granted))


def _apply(user: User, data: UserUpdate, *, own: bool) -> None:
    for name, value in data.model_dump(exclude_none=True, exclude={"password"}).items():
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
    await keycloak.set_enabled(caller.realm, user.auth_id, enabled=enabled)

    async def take_back() -> None:
        await keycloak.set_enabled(caller.realm, user.auth_id, enabled=not enabled)

    after_rollback(session, take_back)
