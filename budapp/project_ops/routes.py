from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.config import Settings
from budapp.commons.database import Read, Write
from budapp.commons.domain import components_of
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.integrations.keycloak import KeycloakDep
from budapp.project_ops import members, services
from budapp.project_ops.schemas import (
    MemberList,
    MemberQuery,
    MembersAdd,
    MembersAdded,
    MembersRemove,
    MembersRemoved,
    ProjectCreate,
    ProjectCreated,
    ProjectDeleted,
    ProjectDetail,
    ProjectEdited,
    ProjectList,
    ProjectQuery,
    ProjectTagList,
    ProjectUpdate,
    TagQuery,
    TagSearchQuery,
)

router = APIRouter(prefix="/projects", tags=["projects"], route_class=IdempotentRoute)

Viewer = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.PROJECT_MANAGE))]
Reader = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.get_project))]
Changer = Annotated[Caller, Depends(services.MANAGING)]
RemoveCredential = Annotated[
    bool, Query(description="Delete the API keys that are affected; without it they block the deletion")
]


@router.get("/", dependencies=[service_accounts_may])
async def list_projects(caller: Viewer, session: Read, query: Annotated[ProjectQuery, Query()]) -> ProjectList:
    """List projects: all `admin_app` ones that the caller may see, or the caller's own of the other type."""
    return ProjectList.of(await services.list_projects(session, caller, query))


@router.post("/", dependencies=[service_accounts_may])
async def create_project(data: ProjectCreate, caller: Manager, session: Write) -> ProjectCreated:
    """Create a project; the caller becomes its first member."""
    return ProjectCreated.of(await services.create_project(session, caller, data))


@router.get("/tags", dependencies=[service_accounts_may])
async def list_tags(caller: Viewer, session: Read, query: Annotated[TagQuery, Query()]) -> ProjectTagList:
    """List the distinct tags of the projects that the caller may see."""
    return ProjectTagList.of(await services.list_tags(session, caller, query))


@router.get("/tags/search", dependencies=[service_accounts_may])
async def search_tags(caller: Viewer, session: Read, query: Annotated[TagSearchQuery, Query()]) -> ProjectTagList:
    """List the tags whose name starts with the term, ignoring case."""
    return ProjectTagList.of(await services.list_tags(session, caller, query, prefix=query.search_term))


@router.get("/{project_id}", dependencies=[service_accounts_may])
async def get_project(project_id: UUID, caller: Reader, session: Read) -> ProjectDetail:
    """Return a project and the number of items in it."""
    return ProjectDetail.of(await services.get_project(session, caller, project_id))


@router.patch("/{project_id}", dependencies=[service_accounts_may])
async def update_project(project_id: UUID, data: ProjectUpdate, caller: Changer, session: Write) -> ProjectEdited:
    """Update the fields that are given; `null` clears an optional one."""
    return ProjectEdited.of(await services.update_project(session, caller, project_id, data))


@router.delete("/{project_id}", dependencies=[service_accounts_may])
async def delete_project(
    project_id: UUID,
    caller: Changer,
    session: Write,
    remove_credential: RemoveCredential = True,
) -> ProjectDeleted:
    """Delete a project that has no deployments."""
    await services.delete_project(session, caller, project_id, remove_credentials=remove_credential)
    return ProjectDeleted()


@router.get("/{project_id}/users")
async def list_members(
    project_id: UUID, caller: Reader, session: Read, query: Annotated[MemberQuery, Query()]
) -> MemberList:
    """List the members of a project with their permissions in it."""
    return MemberList.of(await members.list_members(session, caller, project_id, query))


@router.post("/{project_id}/add-users")
async def add_members(
    project_id: UUID, data: MembersAdd, caller: Changer, session: Write, keycloak: KeycloakDep, request: Request
) -> MembersAdded:
    """Add members, all or none; people without an account are invited by e-mail."""
    await members.add_members(session, keycloak, components_of(request)[Settings], caller, project_id, data)
    return MembersAdded()


@router.post("/{project_id}/remove-users")
async def remove_members(
    project_id: UUID,
    data: MembersRemove,
    caller: Changer,
    session: Write,
    remove_credential: RemoveCredential = True,
) -> MembersRemoved:
    """Remove members, all or none; at least one must remain."""
    await members.remove_members(session, caller, project_id, data.user_ids, remove_credentials=remove_credential)
    return MembersRemoved()
