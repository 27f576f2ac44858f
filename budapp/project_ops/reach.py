"""The reach of `ProjectCrud` for many people at once, decided here rather than by PostgreSQL."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.scopes import Scope, with_implied
from budapp.project_ops import crud
from budapp.project_ops.models import ProjectType


@dataclass(frozen=True, slots=True)
class Membership:
    """What somebody was given in a project."""

    scopes: frozenset[str]


async def memberships_of_all(session: ReadSession, user_ids: Collection[UUID]) -> dict[UUID, dict[UUID, Membership]]:
    """Return the memberships of the users, by user and project."""
    found: dict[UUID, dict[UUID, Membership]] = defaultdict(dict)
    for row in await crud.memberships_of(session, user_ids):
        found[row.user_id][row.project_id] = Membership(with_implied(row.scopes))
    return found


async def types_of_projects(session: ReadSession, project_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the types of those of the projects that are not deleted."""
    return {row.id: row.project_type for row in await crud.types_of(session, project_ids)}


def holds_in_project(
    caller: Caller, project_type: str, membership: Membership | None, scope: Scope | str | None
) -> bool:
    """Tell whether a project of the tenant is in the caller's reach, and they hold the scope there, if one is given.

    Args:
        caller: who asks.
        project_type: that of the project, which is not deleted.
        membership: the caller's in the project.
        scope: what must be held there.
    """
    if membership is None:
        manages = not caller.is_client and caller.may(Scope.PROJECT_MANAGE)
        return manages and project_type == ProjectType.ADMIN_APP and (scope is None or caller.may(scope))
    if caller.is_client:
        return project_type == ProjectType.CLIENT_APP and (scope is None or scope in membership.scopes)
    return scope is None or caller.may(scope) or scope in membership.scopes
