from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.schemas import Answer
from budapp.commons.scopes import Scope
from budapp.role_ops import services
from budapp.role_ops.schemas import (
    RoleAnswer,
    RoleAssignment,
    RoleCreate,
    RoleList,
    RoleQuery,
    RoleUpdate,
    UserRoleAnswer,
)
from budapp.user_ops.callers import CallersDep
from budapp.user_ops.rights import manageable
from budapp.user_ops.schemas import UserList, UserQuery

router = APIRouter(tags=["roles"], route_class=IdempotentRoute)

Viewer = Annotated[Caller, Depends(Requires(Scope.USER_VIEW))]
Reader = Annotated[Caller, Depends(Requires(Scope.USER_VIEW, row=services.get_role))]
HolderReader = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.get_role))]
Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
Changer = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.manageable_role))]
Assigner = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=manageable))]


@router.get("/roles")
async def list_roles(caller: Viewer, session: Read, query: Annotated[RoleQuery, Query()]) -> RoleList:
    """List the tenant's custom roles, by name."""
    return RoleList.of(await services.list_roles(session, caller, query))


@router.post("/roles")
async def create_role(data: RoleCreate, caller: Manager, session: Write) -> RoleAnswer:
    """Create a custom role; it can hold only permissions that the caller has."""
    role = await services.create_role(session, caller, data)
    return RoleAnswer(object="role.create", message="Role created", role=role)


@router.get("/roles/{role_id}")
async def get_role(role_id: UUID, caller: Reader, session: Read) -> RoleAnswer:
    """Return a custom role."""
    role = await services.get_role(session, caller, role_id)
    return RoleAnswer(object="role.retrieve", message="Role found", role=role)


@router.patch("/roles/{role_id}")
async def update_role(
    role_id: UUID, data: RoleUpdate, caller: Changer, session: Write, callers: CallersDep
) -> RoleAnswer:
    """Update the fields that are given; new scopes apply at once to everyone with the role."""
    role = await services.update_role(session, callers, caller, role_id, data)
    return RoleAnswer(object="role.update", message="Role updated", role=role)


@router.delete("/roles/{role_id}")
async def delete_role(role_id: UUID, caller: Changer, session: Write) -> Answer:
    """Delete a custom role that is assigned to nobody."""
    await services.delete_role(session, caller, role_id)
    return Answer(object="role.delete", message="Role deleted")


@router.get("/roles/{role_id}/users")
async def list_role_users(
    role_id: UUID, caller: HolderReader, session: Read, query: Annotated[UserQuery, Query()]
) -> UserList:
    """List the users with a custom role; deleted ones only with `status=deleted`."""
    return UserList.of(await services.list_holders(session, caller, role_id, query))


@router.put("/users/{user_id}/role")
async def assign_role(
    user_id: UUID, data: RoleAssignment, caller: Assigner, session: Write, callers: CallersDep
) -> UserRoleAnswer:
    """Assign a custom role to a user in place of their built-in role; `null` removes it."""
    return UserRoleAnswer(user=await services.assign_role(session, callers, caller, user_id, data.role_id))
