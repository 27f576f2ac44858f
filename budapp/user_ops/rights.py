"""What people hold, and who may give it to them or take it away."""

from collections.abc import Sequence
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Forbidden
from budapp.commons.scopes import Scope, UserRole, UserType, with_implied
from budapp.user_ops.administrators import keep_an_administrator, rank_of
from budapp.user_ops.callers import Callers
from budapp.user_ops.crud import UserCrud
from budapp.user_ops.identity import held_by
from budapp.user_ops.models import CustomRole, User, UserStatus
from budapp.user_ops.schemas import PermissionGrant, decided


async def manageable(session: ReadSession, caller: Caller, user_id: UUID) -> User:
    """Return the person if they are the caller, or one whom the caller may manage.

    Raises:
        NotFound: there is no such person.
        Forbidden: the caller lacks user:manage, or the person may do more than the caller.
    """
    crud = UserCrud(session, caller)
    if user_id == caller.user_id:
        return await crud.get(user_id)
    if caller.status != UserStatus.ACTIVE or not caller.may(Scope.USER_MANAGE):
        raise Forbidden(f"Permission required: {Scope.USER_MANAGE}")
    user = await crud.get(user_id)
    if user.role == UserRole.SUPER_ADMIN and caller.role != UserRole.SUPER_ADMIN:
        raise Forbidden("Only a super administrator can change a super administrator")
    refuse_more_than_own(caller, held_by(user, await crud.overrides_of(user_id)))
    return user


def refuse_more_than_own(caller: Caller, scopes: frozenset[str]) -> None:
    """Raise `Forbidden` where the scopes go beyond the caller's."""
    beyond = scopes - caller.scopes - {Scope.CLIENT_ACCESS}
    if beyond:
        raise Forbidden(f"You can't grant permissions that you don't have: {', '.join(sorted(beyond))}")


def refuse_deleted(user: User) -> None:
    """Raise `BadRequest` where the person is deleted."""
    if user.status == UserStatus.DELETED:
        raise BadRequest("The user is deleted; reactivate the user first")


async def scopes_held(session: ReadSession, caller: Caller, user_id: UUID) -> frozenset[str]:
    """Return all that a person of the tenant holds, by roles and by what was decided for them."""
    crud = UserCrud(session, caller)
    user = await crud.get(user_id)
    return held_by(user, await crud.overrides_of(user_id))


async def change_grants(
    session: WriteSession, callers: Callers, caller: Caller, user_id: UUID, grants: Sequence[PermissionGrant]
) -> frozenset[str]:
    """Grant and withdraw scopes beside what the role holds, and return all that the person holds then.

    Raises:
        Forbidden: the person may do more than the caller, or would.
        BadRequest: it is the caller, or a deleted, client or super user, or the last administrator; or a scope is to go
            that another one holds which is given.
    """
    user = await _lock_changeable(session, caller, user_id)
    refuse_deleted(user)
    given = with_implied(grant.name for grant in grants if grant.has_permission)
    refuse_more_than_own(caller, given)
    contradicted = sorted(given.intersection(grant.name for grant in grants if not grant.has_permission))
    if contradicted:
        raise BadRequest(
            f"A permission that is given holds {', '.join(contradicted)} too; take away both or none", param="name"
        )
    crud, rank = UserCrud(session, caller), await rank_of(session, user)
    overrides = decided(held_by(user), grants, await crud.overrides_of(user_id))
    await crud.override(user, overrides)
    await keep_an_administrator(session, user, rank)
    callers.forget_after_commit(session, user_id)
    return held_by(user, overrides)


async def give_custom_role(
    session: WriteSession, callers: Callers, caller: Caller, user_id: UUID, role: CustomRole | None
) -> User:
    """Have the locked custom role stand in for the person's built-in one, or with None the built-in one count again.

    It can be given to deleted people too, who keep theirs for the case that they come back.

    Raises:
        NotFound: there is no such person.
        Forbidden: the person may do more than the caller, or would.
        BadRequest: it is the caller, a client, a super administrator, or the last administrator.
    """
    user = await _lock_changeable(session, caller, user_id)
    rank = await rank_of(session, user)
    user.custom_role = role
    refuse_more_than_own(caller, held_by(user))
    await keep_an_administrator(session, user, rank)
    callers.forget_after_commit(session, user_id)
    await session.flush()
    return user


async def _lock_changeable(session: WriteSession, caller: Caller, user_id: UUID) -> User:
    if user_id == caller.user_id:
        raise BadRequest("You can't change your own permissions")
    await manageable(session, caller, user_id)
    user = await UserCrud(session, caller).get(user_id, for_update=True)
    if user.role == UserRole.SUPER_ADMIN or user.user_type == UserType.CLIENT:
        raise BadRequest("The permissions of super administrators and clients are fixed")
    return user
