"""The columns that lists of projects and members are made of."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, literal_column, select

from budapp.commons.hooks import Hooks
from budapp.project_ops import hooks as project_hooks
from budapp.project_ops.models import Project, ProjectMember
from budapp.user_ops.columns import CUSTOM_ROLE, PRESENT
from budapp.user_ops.models import User

MAX_PROFILE_COLORS = 3

SORTABLE = {
    "id": Project.id,
    "name": Project.name,
    "created_at": Project.created_at,
    "modified_at": Project.modified_at,
}

SORTABLE_MEMBERS = ("id", "name", "email", "role", "status", "created_at", "project_role")


def _members(result: ColumnElement[Any] | Any) -> Select[Any]:
    statement = select(result).select_from(User).join(ProjectMember, ProjectMember.user_id == User.id)
    return statement.where(ProjectMember.project_id == Project.id, PRESENT).correlate(Project)


def _creator() -> ColumnElement[Any]:
    """Return the creator as one value: a join would burden the count of all rows too."""
    fields: list[Any] = []
    for name in ("id", "name", "email", "color", "role"):
        fields += [literal_column(f"'{name}'"), getattr(User, name)]
    return select(func.jsonb_build_object(*fields)).where(User.id == Project.created_by).scalar_subquery()


def project_columns() -> list[Any]:
    """Return the columns of a `ProjectView`."""
    names = ("id", "name", "description", "tags", "icon", "project_type", "created_by", "created_at", "modified_at")
    return [*(getattr(Project, name) for name in names), _creator().label("created_user")]


def summary_columns(hooks: Hooks) -> list[Any]:
    """Return the columns of a `ProjectSummary`."""
    first_colors = _members(User.color).order_by(ProjectMember.created_at, ProjectMember.id)
    first_colors = first_colors.limit(literal_column(str(MAX_PROFILE_COLORS)))
    return [
        *project_columns(),
        _members(func.count()).scalar_subquery().label("users_count"),
        func.array(first_colors.scalar_subquery()).label("profile_colors"),
        *(
            hooks.one(project_hooks.count, name)(Project.id).label(f"{name}_count")
            for name in ("endpoints", "credentials")
        ),
    ]


def member_columns(created_by: UUID) -> dict[str, Any]:
    """Return the columns of a `MemberView`, by name, in a project of that creator."""
    names = ("id", "name", "email", "color", "role", "status", "company", "purpose", "user_type")
    role: ColumnElement[str] = case((User.id == created_by, "owner"), else_="participant")
    return {
        **{name: getattr(User, name) for name in names},
        "custom_role": CUSTOM_ROLE,
        "scopes": ProjectMember.scopes,
        "created_at": ProjectMember.created_at,
        "project_role": role.label("project_role"),
    }
