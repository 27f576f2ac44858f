from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, PageAnswer, Schema, blank_to_none, refuse_unknown
from budapp.commons.scopes import ROLE_GRANTABLE, with_implied
from budapp.user_ops.schemas import UserInfo


def _check_scopes(value: list[str]) -> list[str]:
    refuse_unknown(value, ROLE_GRANTABLE)
    held = with_implied(value)
    return [scope for scope in ROLE_GRANTABLE if scope in held]


RoleScopes = Annotated[list[str], Field(max_length=100), AfterValidator(_check_scopes)]
Description = Annotated[Annotated[str, StringConstraints(max_length=500)] | None, BeforeValidator(blank_to_none)]


class RoleCreate(Schema):
    """A role's name and what it holds; every `manage` brings the `view` of the same module."""

    name: Name
    description: Description = None
    scopes: RoleScopes


class RoleUpdate(Schema):
    """What to change; what is absent stays, and `null` clears the description."""

    name: Name | None = None
    description: Description = None
    scopes: RoleScopes | None = None

    @model_validator(mode="after")
    def _something_is_asked_for(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name, description or scopes must be given")
        return self


class RoleAssignment(Schema):
    """The custom role that a person is to have; `null` takes it away, and the built-in one counts again."""

    role_id: UUID | None


class RoleQuery(Paging):
    """With `search`, the name must only contain what is given."""

    name: str | None = Field(default=None, max_length=100)


class RoleView(Schema):
    """A custom role; `users_count` leaves out deleted people."""

    id: UUID
    name: str
    description: str | None
    scopes: list[str]
    users_count: int
    created_at: datetime
    modified_at: datetime


class RoleAnswer(Answer):
    role: RoleView


class RoleList(PageAnswer):
    object: Literal["roles.list"] = "roles.list"
    message: str = "Roles found"
    roles: list[RoleView]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return the answer for the page."""
        return cls(roles=list(page.rows), **page.envelope())


class UserRoleAnswer(Answer):
    object: Literal["user.role"] = "user.role"
    message: str = "Role changed"
    user: UserInfo
