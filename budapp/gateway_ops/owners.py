"""Whether the owner of a key may call deployments of its project: the key may no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from budapp.commons.scopes import Scope, UserType, with_implied
from budapp.project_ops.models import ProjectStatus, ProjectType
from budapp.user_ops.identity import held_by
from budapp.user_ops.models import UserStatus


def may_call(row: Row[Any], overrides: Mapping[str, bool]) -> bool:
    """Tell whether the owner in the row may call deployments of the project in it."""
    user, project = row.User, row.Project
    if not row.is_active or user.status != UserStatus.ACTIVE or project.status != ProjectStatus.ACTIVE:
        return False
    is_member = row.scopes is not None
    own: Sequence[str] = row.scopes or ()
    if user.user_type == UserType.CLIENT:
        return is_member and project.project_type == ProjectType.CLIENT_APP
    held = held_by(user, overrides)
    reaches = is_member or (Scope.PROJECT_MANAGE in held and project.project_type == ProjectType.ADMIN_APP)
    return reaches and Scope.ENDPOINT_VIEW in (held | with_implied(own))
