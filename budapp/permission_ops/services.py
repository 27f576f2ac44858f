from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any
from uuid import UUID, uuid5

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.scopes import GLOBAL_SCOPES, PROJECT_SCOPES, Scope
from budapp.permission_ops.schemas import (
    MyPermissions,
    ProjectGrants,
    ProjectScopes,
    UserProjectList,
    UserProjectPermission,
    UserScopes,
)
from budapp.project_ops import members
from budapp.project_ops import services as projects
from budapp.project_ops.schemas import MEMBER_SCOPES, ProjectQuery
from budapp.user_ops import rights
from budapp.user_ops.callers import Callers
from budapp.user_ops.schemas import PermissionGrant


async def permissions_of(session: ReadSession, caller: Caller) -> MyPermissions:
    """Return what the caller may do: per module of the tenant, and per project in reach, newest first."""
    entries = _module_entries(caller)
    for project in await projects.project_access(session, caller):
        rsid = str(project.project_id)
        entries.append({"rsid": rsid, "rsname": f"URN::project::{rsid}", "scopes": _actions(project.scopes)})
        entries += [{"rsid": rsid, "rsname": scope, "scopes": _actions((scope,))} for scope in sorted(project.scopes)]
    return MyPermissions.model_validate({"permissions": entries})  # all at once: there are five for each project


async def permissions_of_user(session: ReadSession, caller: Caller, user_id: UUID) -> UserScopes:
    """Return what a person of the tenant may do, everywhere and in each project that they take part in.

    Raises:
        NotFound: there is no such person.
    """
    held = await rights.scopes_held(session, caller, user_id)
    memberships = await projects.memberships_of(session, caller, user_id)
    return UserScopes(
        global_scopes=_marked(GLOBAL_SCOPES, held),
        project_scopes=[
            ProjectScopes(id=row.id, rs_id=row.id, name=row.name, permissions=_marked(MEMBER_SCOPES, row.scopes))
            for row in memberships
        ],
    )


async def change_global(
    session: WriteSession, callers: Callers, caller: Caller, user_id: UUID, grants: list[PermissionGrant]
) -> list[PermissionGrant]:
    """Grant and take back, and return every scope that can be granted with whether the person holds it then.

    Raises:
        Forbidden, BadRequest: see `user_ops.rights.change_grants`.
    """
    return _marked(GLOBAL_SCOPES, await rights.change_grants(session, callers, caller, user_id, grants))


async def change_in_projects(session: WriteSession, caller: Caller, changes: list[ProjectGrants]) -> None:
    """Change all, or none; projects in the order of their ids, so that two such requests can't block each other.

    Raises:
        NotFound, Forbidden, BadRequest: see `project_ops.members.change_member`.
    """
    for change in sorted(changes, key=lambda change: change.project_id):
        wanted = {grant.name: grant.has_permission for grant in change.permissions}
        await members.change_member(session, caller, change.project_id, change.user_id, wanted)


async def list_projects_of(session: ReadSession, caller: Caller, query: ProjectQuery, user_id: UUID) -> UserProjectList:
    """Return a page of projects with what a person of the tenant may do in each, by membership or everywhere.

    Raises:
        NotFound: there is no such person.
    """
    held = await rights.scopes_held(session, caller, user_id)
    page = await projects.list_with_scopes(session, caller, query, user_id)
    everywhere = held if Scope.PROJECT_MANAGE in held and Scope.CLIENT_ACCESS not in held else frozenset[str]()
    rows = [
        UserProjectPermission(
            id=row.id,
            name=row.name,
            status=row.status,
            permissions=_marked(PROJECT_SCOPES, everywhere | set(row.member_scopes or ())),
        )
        for row in page.rows
    ]
    return UserProjectList(projects=rows, **page.envelope())


def _marked(scopes: Iterable[str], held: Collection[str]) -> list[PermissionGrant]:
    return [PermissionGrant(name=scope, has_permission=scope in held) for scope in scopes]


def _module_entries(caller: Caller) -> list[dict[str, Any]]:
    by_module = groupby(sorted(caller.scopes), key=lambda scope: scope.partition(":")[0])
    return [
        {
            "rsid": str(uuid5(caller.tenant_id, module)),
            "rsname": f"module_{module}",
            "scopes": _actions(frozenset(scopes)),
        }
        for module, scopes in by_module
    ]


@lru_cache
def _actions(scopes: frozenset[str] | tuple[str]) -> list[str]:
    """Return the part behind the colon, each once, `view` before `manage`."""
    return sorted({scope.partition(":")[2] for scope in scopes}, reverse=True)
