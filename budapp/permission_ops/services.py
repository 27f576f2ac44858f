from collections.abc import Iterable
from itertools import groupby
from uuid import UUID, uuid5

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.permission_ops.schemas import PermissionEntry
from budapp.project_ops.services import project_access


async def permissions_of(session: ReadSession, caller: Caller) -> list[PermissionEntry]:
    """Return what the caller may do: per module of the tenant, and per project in reach, newest first."""
    modules = _module_entries(caller)
    return modules + [
        entry
        for project in await project_access(session, caller)
        for entry in _project_entries(project.project_id, project.scopes)
    ]


def _module_entries(caller: Caller) -> list[PermissionEntry]:
    by_module = groupby(sorted(caller.scopes), key=lambda scope: scope.partition(":")[0])
    return [
        PermissionEntry(rsid=str(uuid5(caller.tenant_id, module)), rsname=f"module_{module}", scopes=_actions(scopes))
        for module, scopes in by_module
    ]


def _project_entries(project_id: UUID, scopes: Iterable[str]) -> list[PermissionEntry]:
    held = sorted(scopes)
    resource = PermissionEntry(rsid=str(project_id), rsname=f"URN::project::{project_id}", scopes=_actions(held))
    return [resource, *(PermissionEntry(rsid=str(project_id), rsname=s, scopes=_actions([s])) for s in held)]


def _actions(scopes: Iterable[str]) -> list[str]:
    """Return the part behind the colon, each once, `view` before `manage`."""
    return sorted({scope.partition(":")[2] for scope in scopes}, reverse=True)
