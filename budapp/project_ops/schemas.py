from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from budapp.asset_ops.icons import Icon
from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Color, Email, Name, OptionalText, PageAnswer, Schema
from budapp.commons.scopes import Scope, UserRole, with_implied
from budapp.project_ops.models import ProjectType
from budapp.user_ops.schemas import PermissionGrant, UserInfo, UserSummary

MEMBER_SCOPES = (Scope.ENDPOINT_VIEW, Scope.ENDPOINT_MANAGE, Scope.PROJECT_VIEW, Scope.PROJECT_MANAGE)
"""What a member may be allowed within one project; clients read the first two by their place."""

Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=400)]
MemberScope = Literal[Scope.PROJECT_VIEW, Scope.PROJECT_MANAGE, Scope.ENDPOINT_VIEW, Scope.ENDPOINT_MANAGE]


class ProjectTag(Schema):
    name: Name
    color: Color


Tags = Annotated[list[ProjectTag], Field(max_length=100)]


class ProjectQuery(Paging):
    """With `search`, `name` is looked for in names, descriptions and tags; without, it must be the project's name."""

    name: OptionalText = None
    project_type: ProjectType | None = None


class MemberQuery(Paging):
    name: OptionalText = None
    email: OptionalText = None
    role: UserRole | None = None


class TagQuery(Paging):
    limit: int = Field(default=1000, ge=0, le=10_000)


class TagSearchQuery(TagQuery):
    limit: int = Field(default=10, ge=0, le=10_000)
    search_term: str = Field(max_length=100)


class ProjectCreate(Schema):
    """A new project; `project_type` is `admin_app` where absent, and always `client_app` for a customer's user."""

    name: Name
    description: Description | None = None
    tags: Tags = []
    icon: Icon | None = None
    project_type: ProjectType | None = None
    benchmark: bool = Field(default=False, description="Whether it is for benchmarks only, and left out of lists")

    @field_validator("tags", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return [] if value is None else value


class ProjectUpdate(Schema):
    """What is to change: fields that are absent stay; `null` clears those that may be empty."""

    name: Name | None = None
    description: Description | None = None
    tags: Tags | None = None
    icon: Icon | None = None
    project_type: ProjectType | None = None

    def changes(self) -> dict[str, Any]:
        """Return column → new value."""
        changes = self.model_dump(exclude_unset=True, exclude={"project_type"})
        if changes.get("name", "") is None:
            del changes["name"]
        if changes.get("tags", []) is None:
            changes["tags"] = []
        return changes


class ProjectView(Schema):
    id: UUID
    name: str
    description: str | None
    tags: list[ProjectTag]
    icon: str | None
    project_type: ProjectType
    created_by: UUID
    created_user: UserSummary
    created_at: datetime
    modified_at: datetime


class ProjectSummary(Schema):
    """A project and how much there is in it; the colours are those of its first members."""

    project: ProjectView
    users_count: int
    endpoints_count: int
    credentials_count: int
    profile_colors: list[str]


class ProjectList(PageAnswer):
    object: Literal["project.list"] = "project.list"
    message: str = "Projects found"
    projects: list[ProjectSummary]

    @classmethod
    def of(cls, page: Page) -> Self:
        projects = [ProjectSummary.model_validate(summary_of(row)) for row in page.rows]
        return cls(projects=projects, **page.envelope())


class ProjectDetail(Answer, ProjectSummary):
    object: Literal["project.retrieve"] = "project.retrieve"
    message: str = "Project found"

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls.model_validate(summary_of(row))


def summary_of(row: Any) -> dict[str, Any]:
    """Return the fields of a `ProjectSummary` from a row that has the project's columns beside the counts."""
    fields = dict(row._mapping)
    return fields | {"project": fields}


class ProjectAnswer(Answer):
    project: ProjectView

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(project=ProjectView.model_validate(row))


class ProjectCreated(ProjectAnswer):
    object: Literal["project.create"] = "project.create"
    message: str = "Project created"


class ProjectEdited(ProjectAnswer):
    object: Literal["project.edit"] = "project.edit"
    message: str = "Project updated"


class ProjectTagList(PageAnswer):
    object: Literal["project.tag.list"] = "project.tag.list"
    message: str = "Tags found"
    tags: list[ProjectTag]


class MemberAdd(Schema):
    """A person to add: somebody known by id, or anybody by e-mail, who is invited if unknown."""

    user_id: UUID | None = None
    email: Email | None = Field(default=None, validate_default=True)
    scopes: list[MemberScope] = Field(min_length=1, max_length=20)

    @field_validator("email")
    @classmethod
    def _one_of_both(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "user_id" in info.data and (value is None) == (info.data["user_id"] is None):
            raise ValueError("give either user_id or email")
        return value

    def granted(self) -> list[str]:
        """Return the scopes with what they imply, in their usual order."""
        held = with_implied(self.scopes)
        return [scope for scope in MEMBER_SCOPES if scope in held]


class MembersAdd(Schema):
    users: list[MemberAdd] = Field(min_length=1, max_length=100)


class MembersRemove(Schema):
    user_ids: list[UUID] = Field(min_length=1, max_length=1000)


class MemberView(UserInfo):
    """A member; `permissions` names every scope that one can hold in a project."""

    permissions: list[PermissionGrant]
    project_role: Literal["owner", "participant"] = Field(description="`owner` made the project")


class MemberList(PageAnswer):
    object: Literal["project.list_users"] = "project.list_users"
    message: str = "Members found"
    users: list[MemberView]

    @classmethod
    def of(cls, page: Page) -> Self:
        users = [
            MemberView.model_validate({**row._mapping, "permissions": permissions(row.scopes)}) for row in page.rows
        ]
        return cls(users=users, **page.envelope())


def permissions(scopes: list[str]) -> list[dict[str, Any]]:
    """Return every scope that a member can hold, and whether it is among these."""
    return [{"name": scope, "has_permission": scope in scopes} for scope in MEMBER_SCOPES]


class MembersAdded(Answer):
    object: Literal["project.add_users"] = "project.add_users"
    message: str = "Users added to the project"


class MembersRemoved(Answer):
    object: Literal["project.remove_users"] = "project.remove_users"
    message: str = "Users removed from the project"


class ProjectDeleted(Answer):
    object: Literal["project.delete"] = "project.delete"
    message: str = "Project deleted"
