from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Email, Name, PageAnswer, Schema, refuse_unknown
from budapp.commons.scopes import GLOBAL_SCOPES, NO_OVERRIDES, Overrides, UserRole, UserType, decide, scopes_of
from budapp.user_ops.models import UserStatus


def _check_password(value: str) -> str:
    missing = [
        name
        for name, present in {
            "a digit": any(c.isdigit() for c in value),
            "an upper-case letter": any(c.isupper() for c in value),
            "a lower-case letter": any(c.islower() for c in value),
            "a punctuation character": any(not c.isalnum() and not c.isspace() for c in value),
        }.items()
        if not present
    ]
    if missing:
        raise ValueError(f"must have {', '.join(missing)}")
    if any(c.isspace() for c in value):
        raise ValueError("must not contain white space")
    return value


NewPassword = Annotated[str, StringConstraints(min_length=8, max_length=100), AfterValidator(_check_password)]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]


def _one_of_list(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _not_super_admin(role: UserRole) -> UserRole:
    if role is UserRole.SUPER_ADMIN:
        raise ValueError("super_admin can't be assigned")
    return role


AssignableRole = Annotated[UserRole, BeforeValidator(_one_of_list), AfterValidator(_not_super_admin)]


class PermissionGrant(Schema):
    name: str
    has_permission: bool


def check_grants(grants: list[PermissionGrant], known: Collection[str]) -> list[PermissionGrant]:
    """Return the grants if each is known and named once; else raise `ValueError`."""
    names = [grant.name for grant in grants]
    refuse_unknown(names, known)
    if len(names) > len(set(names)):
        raise ValueError("a permission is listed twice")
    return grants


def decided(
    held_by_role: frozenset[str], grants: Sequence[PermissionGrant], before: Overrides = NO_OVERRIDES
) -> dict[str, bool]:
    """Return what is decided for a person beside the role, once the grants count too."""
    given = {grant.name for grant in grants if grant.has_permission}
    taken = {grant.name for grant in grants if not grant.has_permission}
    return decide(before, held_by_role, given, taken)


class UserRegistration(Schema):
    """What someone says who registers on their own; a role or permissions they may send are not read."""

    name: Name
    email: Email
    password: NewPassword
    company: ShortText | None = None
    purpose: ShortText | None = None


class UserCreate(UserRegistration):
    role: AssignableRole
    user_type: UserType = UserType.CLIENT
    permissions: list[PermissionGrant] | None = None

    @field_validator("permissions")
    @classmethod
    def _known_scopes(cls, value: list[PermissionGrant] | None) -> list[PermissionGrant] | None:
        return check_grants(value, GLOBAL_SCOPES) if value is not None else None

    @property
    def overrides(self) -> dict[str, bool]:
        """What the permissions say beside the role: scopes to grant, and those of the role to withdraw."""
        is_client = self.user_type is UserType.CLIENT
        held_by_role = frozenset[str]() if is_client else scopes_of(self.role, self.user_type)
        return decided(held_by_role, self.permissions or [])


class UserInvite(Schema):
    """Whom to invite by mail, and as what; without a name, it is the first part of the address."""

    email: Email
    name: Name | None = None
    role: AssignableRole
    user_type: UserType = UserType.ADMIN


class UserUpdate(Schema):
    """What to change; what is absent or null stays."""

    name: Name | None = None
    password: NewPassword | None = None
    role: AssignableRole | None = None
    user_type: UserType | None = None
    company: ShortText | None = None
    purpose: ShortText | None = None


class UserQuery(Paging):
    """Filters must hold exactly, but with `search` a name or e-mail must only contain what is given."""

    name: str | None = Field(default=None, max_length=100)
    email: str | None = Field(default=None, max_length=100)
    role: UserRole | None = None
    status: UserStatus | None = None
    user_type: UserType | None = None


class UserSummary(Schema):
    """A person as other things show them."""

    id: UUID
    name: str
    email: str
    color: str
    role: UserRole


class CustomRoleRef(Schema):
    """The custom role that stands in for what the built-in one holds."""

    id: UUID
    name: str


class UserInfo(UserSummary):
    status: UserStatus
    company: str | None
    purpose: str | None
    user_type: UserType
    custom_role: CustomRoleRef | None


class UserAnswer(Answer):
    user: UserInfo


class CurrentUser(UserAnswer):
    object: Literal["user.me"] = "user.me"


class UserList(PageAnswer):
    object: Literal["users.list"] = "users.list"
    users: list[UserInfo]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return the answer for the page."""
        return cls(message="Users found", users=list(page.rows), **page.envelope())
