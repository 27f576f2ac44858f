"""Whether the owner of a key may call deployments of its project: the key may no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from budapp.commons.scopes import Scope, UserType, with_implied
from budapp.project_ops.models import Project, ProjectStatus, ProjectType
from budapp.user_ops.identity import held_by
from budapp.user_ops.models import User, UserStatus


def may_call(row: Row[Any], overrides: Mapping[str, bool]) -> bool:
    """Tell whether the owner in the row may call deployments of the project in it."""
    return bool(row.is_active) and may_call_in(row.User, row.Project, row.scopes, overrides)


def may_call_in(user: User, project: Project, own: Sequence[str] | None, overrides: Mapping[str, bool]) -> bool:
    """Tell whether somebody of an active tenant may call deployments of a project of it.

    Args:
        user: who it is.
        project: the project.
        own: what they may do there as a member, if they are one.
        overrides: what was decided for them beside their role.
    """
    if user.status != UserStatus.ACTIVE or project.status != ProjectStatus.ACTIVE:
        return False
    if user.user_type == UserType.CLIENT:
        return own is not None and project.project_type == ProjectType.CLIENT_APP
    held = held_by(user, overrides)
    reaches = own is not None or (Scope.PROJECT_MANAGE in held and project.project_type == ProjectType.ADMIN_APP)
    return reaches and Scope.ENDPOINT_VIEW in (held | with_implied(own or ()))
