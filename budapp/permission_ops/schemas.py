from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, RootModel, StringConstraints, field_validator

from budapp.commons.schemas import Answer, PageAnswer, Schema
from budapp.commons.scopes import GLOBAL_SCOPES
from budapp.project_ops.schemas import MEMBER_SCOPES
from budapp.user_ops.schemas import PermissionGrant, check_grants


class PermissionEntry(Schema):
    """What is allowed on one resource.

    `rsname` is `module_<module>` for a module of the tenant, `URN::project::<id>` for a project, and for the
    frontend's check of one right on a project also the right itself, such as `endpoint:manage`.
    """

    rsid: str = Field(description="An id of the resource, for the frontend")
    rsname: str = Field(description="`module_<module>`, or `URN::project::<id>` with or without a right behind it")
    scopes: list[str] = Field(description="What may be done: `view`, `manage` and the like")


class MyPermissions(Answer):
    object: Literal["user.permissions"] = "user.permissions"
    message: str = "Permissions found"
    permissions: list[PermissionEntry]


class GlobalGrants(RootModel[list[PermissionGrant]]):
    """What to grant and to withdraw; what is not named stays, but that `X:manage` goes with `X:view`."""

    @field_validator("root")
    @classmethod
    def _each_known_and_once(cls, value: list[PermissionGrant]) -> list[PermissionGrant]:
        return check_grants(value, GLOBAL_SCOPES)


class ProjectGrants(Schema):
    """What one user may do in one project; what is not named stays."""

    user_id: UUID
    project_id: UUID
    permissions: list[PermissionGrant]

    @field_validator("permissions")
    @classmethod
    def _each_known_and_once(cls, value: list[PermissionGrant]) -> list[PermissionGrant]:
        return check_grants(value, MEMBER_SCOPES)


class GlobalPermissions(Answer):
    object: Literal["permission.global"] = "permission.global"
    message: str = "Permissions changed"
    permissions: list[PermissionGrant]
    result: list[PermissionGrant]


class ProjectScopes(Schema):
    id: UUID
    rs_id: UUID
    name: str
    permissions: list[PermissionGrant]


class UserScopes(Schema):
    """What a user may do; the last five are empty, as nothing is granted on single objects of those kinds."""

    global_scopes: list[PermissionGrant]
    project_scopes: list[ProjectScopes]
    user_scopes: list[PermissionGrant] = []
    model_scopes: list[PermissionGrant] = []
    cluster_scopes: list[PermissionGrant] = []
    endpoint_scopes: list[PermissionGrant] = []
    benchmark_scopes: list[PermissionGrant] = []


class UserPermissions(Answer):
    object: Literal["user.permissions"] = "user.permissions"
    message: str = "Permissions found"
    result: UserScopes


class UserProjectPermission(Schema):
    id: UUID
    name: str
    status: str
    permissions: list[PermissionGrant]


class UserProjectList(PageAnswer):
    object: Literal["permission.projects"] = "permission.projects"
    message: str = "Projects found"
    projects: list[UserProjectPermission]


class ExplainQuery(Schema):
    """Whose call is meant: a person (the caller where absent), a method, a path and the id in it.

    The path may be a route's, such as `/projects/{project_id}`, or one with the id in place.
    """

    user_id: UUID | None = None
    method: Annotated[str, StringConstraints(to_upper=True, pattern="^[A-Za-z]+$")]
    path: Annotated[str, StringConstraints(pattern="^/", max_length=500)]
    id: UUID | None = None


class ExplainStep(Schema):
    """One thing that is asked; `passed` is null where it can't be told without more being known."""

    check: Literal["account", "permission", "row"]
    passed: bool | None = Field(description="The outcome; null where it depends on what is not known")
    detail: str


class HeldScope(Schema):
    """A scope that the person holds, and by what: roles, grants, a membership, or another scope that implies it."""

    scope: str = Field(description="What may be done, as `module:action`")
    held_by: list[str] = Field(description="What gives it: roles, grants, memberships, or scopes that imply it")


class Explanation(Schema):
    """Why a person may call a route or not; `status` is what they get where they may not."""

    user_id: UUID
    email: str
    route: str = Field(description="The route that is meant")
    asks_for: str = Field(description="What the route asks for")
    allowed: bool
    status: Literal[401, 403, 404] | None = Field(
        description="The HTTP status that the person gets; null where the call is allowed"
    )
    reason: str
    steps: list[ExplainStep]
    scopes: list[HeldScope]
    withdrawn: list[str] = Field(description="Scopes of the role that were withdrawn from the person")


class ExplanationAnswer(Answer):
    object: Literal["permission.explain"] = "permission.explain"
    message: str = "Here is why"
    explanation: Explanation
