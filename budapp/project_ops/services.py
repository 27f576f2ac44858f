"""What can be done with projects; other domains come in here too."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select

from budapp.commons.access import Caller, Requires, RequiresOrPeer, require_password_set
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, Forbidden
from budapp.commons.hooks import hooks_of
from budapp.commons.integrity import conflict_on
from budapp.commons.scopes import Scope, with_implied
from budapp.events.notify import notify_users
from budapp.project_ops import crud
from budapp.project_ops.crud import Lock, ProjectCrud
from budapp.project_ops.hooks import Removal, before_removal
from budapp.project_ops.models import Project, ProjectMember, ProjectStatus, ProjectType
from budapp.project_ops.schemas import MEMBER_SCOPES, ProjectCreate, ProjectQuery, ProjectUpdate, TagQuery

ProjectOf = Callable[[ReadSession, Caller, UUID], Awaitable[UUID]]
"""Returns the id of the project that a row belongs to; raises `NotFound` where the row is out of reach."""


async def _itself(_session: ReadSession, _caller: Caller, project_id: UUID) -> UUID:
    return project_id


class RequiresInProject(Requires):
    """Only a caller who holds the scope in the project concerned may call the route: as a member, or for the tenant.

    The project is known once the row is: the service asks `check` about it, and so does an explanation.

    Args:
        scope: one of `MEMBER_SCOPES`.
        project_of: finds the project of the row in the path; by default that row is the project.
    """

    def __init__(self, scope: str, *, project_of: ProjectOf = _itself) -> None:
        super().__init__(scope, row=self._check_row)
        self.project_of = project_of

    def admit(self, caller: Caller) -> None:
        """Let those pass who are active; the rest hangs on the project."""
        require_password_set(caller)

    async def check(
        self, session: ReadSession, caller: Caller, project_id: UUID, *, lock: Lock | None = None
    ) -> Project:
        """Return the project if the caller holds the scope in it; see `require_project`."""
        return await require_project(session, caller, project_id, self.scope, lock=lock)

    async def _check_row(self, session: ReadSession, caller: Caller, row_id: UUID) -> Project:
        return await self.check(session, caller, await self.project_of(session, caller, row_id))


class RequiresInProjectOrPeer(RequiresInProject, RequiresOrPeer):
    """The same, and a service of the platform may call the route for somebody who holds the scope in the project."""


MANAGING = RequiresInProject(Scope.PROJECT_MANAGE)
"""What changing a project, or who takes part in it, asks for."""


@dataclass(frozen=True, slots=True)
class ProjectAccess:
    """What a caller may do in one project."""

    project_id: UUID
    scopes: frozenset[str]


async def list_projects(session: ReadSession, caller: Caller, query: ProjectQuery) -> Page:
    """Return a page of the projects in reach, newest first."""
    return await ProjectCrud(session, caller).page_of_projects(query)


async def list_tags(session: ReadSession, caller: Caller, query: TagQuery, prefix: str = "") -> Page:
    """Return a page of the tags that begin with the prefix, by name."""
    return await ProjectCrud(session, caller).page_of_tags(query, prefix)


async def get_project(session: ReadSession, caller: Caller, project_id: UUID) -> Row[Any]:
    """Return the columns of a `ProjectSummary`.

    Raises:
        NotFound: no such project, or out of reach.
    """
    return await ProjectCrud(session, caller).summary(project_id)


async def create_project(session: WriteSession, caller: Caller, data: ProjectCreate) -> Row[Any]:
    """Make the project, with the caller as its first member.

    Raises:
        Conflict: the name is taken.
    """
    project_type = ProjectType.CLIENT_APP if caller.is_client else data.project_type or ProjectType.ADMIN_APP
    values = data.model_dump(exclude={"project_type"})
    project = Project(tenant_id=caller.tenant_id, created_by=caller.user_id, project_type=project_type, **values)
    session.add(project)
    await _flush_name(session, project)
    session.add(new_member(project, caller.user_id, MEMBER_SCOPES))
    await session.flush()
    if project_type is ProjectType.CLIENT_APP:
        await _tell_creation(session, project)
    return await ProjectCrud(session, caller).view(project.id)


async def update_project(session: WriteSession, caller: Caller, project_id: UUID, data: ProjectUpdate) -> Row[Any]:
    """Change what is given.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller may not manage it.
        BadRequest: the type is to change.
        Conflict: the name is taken.
    """
    project = await MANAGING.check(session, caller, project_id, lock="update")
    if data.project_type not in {None, project.project_type}:
        raise BadRequest("The type of a project can't be changed", param="project_type")
    for name, value in data.changes().items():
        setattr(project, name, value)
    await _flush_name(session, project)
    return await ProjectCrud(session, caller).view(project_id)


async def delete_project(session: WriteSession, caller: Caller, project_id: UUID, *, remove_credentials: bool) -> None:
    """Delete the project; its name is free again.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller may not manage it.
        BadRequest: there are deployments in it, or keys that are not to be removed.
    """
    project = await MANAGING.check(session, caller, project_id, lock="update")
    for check in hooks_of(session).all(before_removal):
        await check(session, Removal(project_id, None, remove_credentials))
    project.status = ProjectStatus.DELETED
    await session.flush()


async def project_access(session: ReadSession, caller: Caller) -> list[ProjectAccess]:
    """Return what the caller may do in each project in reach: the newest 1000."""
    rows = await ProjectCrud(session, caller).access()
    held = cache(lambda own: _scopes_held(caller, own))  # most memberships hold the same few scopes
    return [ProjectAccess(row.id, held(tuple(row.own_scopes or ()))) for row in rows]


async def membership_scopes(session: ReadSession, caller: Caller, project_id: UUID) -> list[str]:
    """Return what the caller's membership in the project holds; nothing where they are no member.

    Raises:
        NotFound: no such project, or out of reach.
    """
    row = await ProjectCrud(session, caller).get_with_scopes(project_id, lock=None)
    return list(row.own_scopes or ())


async def list_with_scopes(session: ReadSession, caller: Caller, query: ProjectQuery, user_id: UUID) -> Page:
    """Return a page of the projects in the caller's reach, each with `member_scopes`: what the user may do there."""
    return await ProjectCrud(session, caller).page_with_scopes(query, user_id)


async def memberships_of(session: ReadSession, caller: Caller, user_id: UUID) -> Sequence[Row[Any]]:
    """Return id, name and scopes of the newest 1000 projects in the caller's reach that the user takes part in."""
    return await ProjectCrud(session, caller).of_member(user_id)


def projects_in_reach(session: ReadSession, caller: Caller) -> Select[Any]:
    """Return the select of the ids of all projects in the caller's reach, for the queries of what projects hold."""
    return ProjectCrud(session, caller).visible(Project.id)


def projects_holding(session: ReadSession, caller: Caller, scope: Scope) -> Select[Any]:
    """Return the select of the ids of the projects in the caller's reach where they hold the scope."""
    return ProjectCrud(session, caller).holding(scope)


async def is_reached(session: ReadSession, caller: Caller, project_id: UUID, scope: Scope | None = None) -> bool:
    """Tell whether the project is in the caller's reach, and where a scope is given, whether they hold it there."""
    return await ProjectCrud(session, caller).is_held(project_id, scope)


async def members_holding(session: ReadSession, project_id: UUID, scope: Scope) -> set[UUID]:
    """Return the people in the project, active or invited, that hold the scope there."""
    return await crud.members_holding(session, project_id, scope)


async def require_project(
    session: ReadSession, caller: Caller, project_id: UUID, scope: str, *, lock: Lock | None = None
) -> Project:
    """Return the project if the caller holds the scope in it, by membership or everywhere.

    Args:
        session: with `lock`, a session that writes.
        caller: who asks.
        project_id: the project.
        scope: one of `MEMBER_SCOPES`.
        lock: `share` to add something to the project, `update` to change it: nothing undoes that meanwhile.

    Raises:
        NotFound: no such project, or out of reach.
        Forbidden: the caller lacks the scope there.
    """
    return await require_scopes(session, caller, project_id, [scope], lock=lock)


async def require_scopes(
    session: ReadSession, caller: Caller, project_id: UUID, scopes: Iterable[str], *, lock: Lock | None = None
) -> Project:
    """Return the project if the caller holds all the scopes in it; see `require_project`."""
    row = await ProjectCrud(session, caller).get_with_scopes(project_id, lock=lock)
    lacking = sorted(set(scopes) - _scopes_held(caller, row.own_scopes))
    if lacking:
        raise Forbidden(f"Permission required: {', '.join(lacking)} in the project")
    project: Project = row.Project
    return project


def new_member(project: Project, user_id: UUID, scopes: tuple[str, ...] | list[str]) -> ProjectMember:
    """Return the row that makes the user a member."""
    return ProjectMember(tenant_id=project.tenant_id, project_id=project.id, user_id=user_id, scopes=list(scopes))


def _scopes_held(caller: Caller, own_scopes: Iterable[str] | None) -> frozenset[str]:
    """Return what the caller may do in a project; a customer's user only what they were given there."""
    everywhere = frozenset[str]() if caller.is_client else caller.scopes
    return (everywhere | with_implied(own_scopes or ())).intersection(MEMBER_SCOPES)


async def _flush_name(session: WriteSession, project: Project) -> None:
    """Flush, and tell a name that is taken from everything else that can go wrong."""
    taken = Conflict("There is a project with this name already; choose another", param="name")
    with conflict_on(f"uq_project_{project.project_type}_name", taken):
        await session.flush()


async def _tell_creation(session: WriteSession, project: Project) -> None:
    await notify_users(
        session,
        aggregate=f"project:{project.id}",
        subscriber_ids=[project.created_by],
        type="project_creation",
        title="Project created",
        message=f"Your project {project.name} is ready",
        target=("project", project.id),
    )
