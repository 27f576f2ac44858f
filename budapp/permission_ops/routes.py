from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from budapp.commons.access import Caller, Requires, SignedIn
from budapp.commons.database import Read, Write
from budapp.commons.routing import route_index_of
from budapp.commons.schemas import Answer
from budapp.commons.scopes import Scope
from budapp.permission_ops import explain, services
from budapp.permission_ops.schemas import (
    ExplainQuery,
    ExplanationAnswer,
    GlobalGrants,
    GlobalPermissions,
    MyPermissions,
    ProjectGrants,
    UserPermissions,
    UserProjectList,
)
from budapp.project_ops.schemas import ProjectQuery
from budapp.user_ops import services as users
from budapp.user_ops.callers import CallersDep
from budapp.user_ops.rights import manageable

router = APIRouter(tags=["permissions"])

Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
Reader = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=users.get_user))]
Changer = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=manageable))]


@router.get("/users/me/permissions")
async def get_my_permissions(caller: SignedIn, session: Read) -> MyPermissions:
    """Return the caller's permissions, in the tenant and in each project."""
    return await services.permissions_of(session, caller)


@router.get("/users/{user_id}/permissions")
async def get_user_permissions(user_id: UUID, caller: Reader, session: Read) -> UserPermissions:
    """Return a user's permissions, in the tenant and in their projects."""
    return UserPermissions(result=await services.permissions_of_user(session, caller, user_id))


@router.put("/permissions/{user_id}/global")
async def change_global_permissions(
    user_id: UUID, data: GlobalGrants, caller: Changer, session: Write, callers: CallersDep
) -> GlobalPermissions:
    """Grant or withdraw permissions beside those of the role; callers can grant only what they have."""
    held = await services.change_global(session, callers, caller, user_id, data.root)
    return GlobalPermissions(permissions=held, result=held)


@router.patch("/permissions/project")
async def change_project_permissions(
    data: Annotated[list[ProjectGrants], Field(min_length=1, max_length=1000)], caller: Manager, session: Write
) -> Answer:
    """Change users' permissions in projects; the first makes a member, removing the last ends the membership."""
    await services.change_in_projects(session, caller, data)
    return Answer(object="permission.project", message="Permissions changed")


@router.get("/permissions/{user_id}/projects")
async def list_projects_of_user(
    user_id: UUID, caller: Reader, session: Read, query: Annotated[ProjectQuery, Query()]
) -> UserProjectList:
    """List projects with a user's permissions in each."""
    return await services.list_projects_of(session, caller, query, user_id)


@router.get("/permissions/explain")
async def explain_permission(
    caller: SignedIn, session: Read, request: Request, query: Annotated[ExplainQuery, Query()]
) -> ExplanationAnswer:
    """Explain step by step why a user (default: the caller) may call a route or not; for others, user:view."""
    explanation = await explain.explain_to(session, route_index_of(request), caller, query)
    return ExplanationAnswer(explanation=explanation)
