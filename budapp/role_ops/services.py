"""Custom roles: named sets of scopes that stand in for what a built-in role holds."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import with_implied
from budapp.role_ops.crud import RoleCrud
from budapp.role_ops.schemas import RoleCreate, RoleQuery, RoleUpdate
from budapp.user_ops import services as users
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import CustomRole, User, UserStatus
from budapp.user_ops.rights import give_custom_role, refuse_more_than_own
from budapp.user_ops.schemas import UserQuery


async def list_roles(session: ReadSession, caller: Caller, query: RoleQuery) -> Page:
    """Return a page of the tenant's custom roles, by name."""
    return await RoleCrud(session, caller).page_of_roles(query)


async def get_role(session: ReadSession, caller: Caller, role_id: UUID) -> Row[Any]:
    """Return the columns of a `RoleView`, or raise `NotFound`."""
    return await RoleCrud(session, caller).view(role_id)


async def list_holders(session: ReadSession, caller: Caller, role_id: UUID, query: UserQuery) -> Page:
    """Return a page of the people who have the role.

    Raises:
        NotFound: the tenant has no such role.
    """
    role = await RoleCrud(session, caller).get(role_id)
    return await users.list_users(session, caller, query, custom_role_id=role.id)


async def manageable_role(
    session: ReadSession, caller: Caller, role_id: UUID, *, for_update: bool = False
) -> CustomRole:
    """Return the role if it holds no more than the caller does.

    Raises:
        NotFound: the tenant has no such role.
        Forbidden: it holds more.
    """
    role = await RoleCrud(session, caller).get(role_id, for_update=for_update)
    refuse_more_than_own(caller, with_implied(role.scopes))
    return role


async def create_role(session: WriteSession, caller: Caller, data: RoleCreate) -> Row[Any]:
    """Make the role.

    Raises:
        Forbidden: it holds more than the caller.
        Conflict: the name is taken.
    """
    refuse_more_than_own(caller, with_implied(data.scopes))
    role = CustomRole(tenant_id=caller.tenant_id, **data.model_dump())
    session.add(role)
    await _flush_name(session)
    return await RoleCrud(session, caller).view(role.id)


async def update_role(
    session: WriteSession, callers: Callers, caller: Caller, role_id: UUID, data: RoleUpdate
) -> Row[Any]:
    """Update the fields that are given; new scopes apply at once to everyone with the role.

    Raises:
        NotFound: the tenant has no such role.
        Forbidden: the role, or somebody who has it, holds more than the caller, or would.
        BadRequest: the caller has the role, and the scopes are to change.
        Conflict: the name is taken.
    """
    role = await manageable_role(session, caller, role_id, for_update=True)
    crud = RoleCrud(session, caller)
    if data.scopes is not None and set(data.scopes) != set(role.scopes):
        await _refuse_new_scopes(crud, caller, role, data.scopes)
        role.scopes = data.scopes
    if data.name is not None:
        role.name = data.name
    if "description" in data.model_fields_set:
        role.description = data.description
    await _flush_name(session)
    callers.forget_after_commit(session, *(row.id for row in await crud.holders(role)))
    return await crud.view(role_id)


async def delete_role(session: WriteSession, caller: Caller, role_id: UUID) -> None:
    """Delete a role that nobody has.

    Raises:
        NotFound: the tenant has no such role.
        Forbidden: the role holds more than the caller.
        Conflict: somebody has it, deleted people too: they would come back with more, or less, than they had.
    """
    role = await manageable_role(session, caller, role_id, for_update=True)
    holders = await RoleCrud(session, caller).holders(role)
    if holders:
        deleted = sum(row.status == UserStatus.DELETED for row in holders)
        those = f"{len(holders)} {'person has' if len(holders) == 1 else 'people have'} this role"
        raise Conflict(f"{those} ({deleted} of them deleted); give them another role first")
    await session.delete(role)
    await session.flush()


async def assign_role(
    session: WriteSession, callers: Callers, caller: Caller, user_id: UUID, role_id: UUID | None
) -> User:
    """Give the person the role in place of any other, or none.

    Raises:
        NotFound: the tenant has no such person or no such role.
        Forbidden, BadRequest: see `user_ops.rights.give_custom_role`.
    """
    role = await manageable_role(session, caller, role_id, for_update=True) if role_id is not None else None
    return await give_custom_role(session, callers, caller, user_id, role)


async def _refuse_new_scopes(crud: RoleCrud, caller: Caller, role: CustomRole, scopes: list[str]) -> None:
    if caller.custom_role is not None and caller.custom_role.id == role.id:
        raise BadRequest("You can't change a role that you hold; ask another administrator", param="scopes")
    refuse_more_than_own(caller, with_implied([*scopes, *await crud.grants_of_holders(role)]))


async def _flush_name(session: WriteSession) -> None:
    taken = Conflict("There is a role with this name already; choose another", param="name")
    with conflict_on("uq_custom_role_tenant_id_name", taken):
        await session.flush()
