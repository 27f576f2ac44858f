from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from budapp.api_key_ops.schemas import ServiceKeyView
from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, OptionalText, PageAnswer, Schema
from budapp.commons.scopes import UserRole
from budapp.project_ops.schemas import MEMBER_SCOPES
from budapp.user_ops.schemas import AssignableRole, CustomRoleRef

Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=400)]
MemberScope = Literal["project:view", "project:manage", "endpoint:view", "endpoint:manage"]
assert set(MEMBER_SCOPES) == set(MemberScope.__args__)  # type: ignore[attr-defined]


class ServiceAccountQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the account's name."""

    name: OptionalText = None


class ServiceAccountCreate(Schema):
    """Without `role` and `custom_role_id`, it may do only what it is given in single projects."""

    name: Name
    description: Description | None = None
    role: AssignableRole | None = None
    custom_role_id: UUID | None = None

    @model_validator(mode="after")
    def _has_one_role(self) -> Self:
        if self.role is not None and self.custom_role_id is not None:
            raise ValueError("give either role or custom_role_id")
        return self


class ServiceAccountUpdate(Schema):
    """What is left out stays. A null `role` leaves only what it was given in single projects."""

    name: Name | None = None
    description: Description | None = None
    role: AssignableRole | None = None
    custom_role_id: UUID | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _has_one_role(self) -> Self:
        if self.role is not None and self.custom_role_id is not None:
            raise ValueError("give either role or custom_role_id")
        return self

    @property
    def changes_rights(self) -> bool:
        """Tell whether what it may do is to change."""
        return bool({"role", "custom_role_id"} & self.model_fields_set)


class MembershipUpdate(Schema):
    """What the account may do in the project; nothing, and it leaves it."""

    scopes: Annotated[list[MemberScope], Field(max_length=len(MEMBER_SCOPES))]


class RotateServiceKey(Schema):
    """The secret before this one works for so many seconds more."""

    grace_seconds: int = Field(ge=0, le=30 * 24 * 3600)


class Membership(Schema):
    project_id: UUID
    name: str
    scopes: list[str]


class ServiceAccountView(Schema):
    """`role` is null where the account has a custom role, or only rights in single projects."""

    id: UUID
    name: str
    description: str | None
    role: UserRole | None
    custom_role: CustomRoleRef | None
    enabled: bool
    key_count: int
    created_by: UUID
    created_at: datetime
    modified_at: datetime


class ServiceAccountDetail(ServiceAccountView):
    """With all that it holds for the tenant, and the projects in the caller's reach that it takes part in."""

    scopes: list[str]
    projects: list[Membership]


class ServiceAccountAnswer(Answer):
    object: Literal["service_account.retrieve"] = "service_account.retrieve"
    message: str = "Service account found"
    service_account: ServiceAccountDetail


class ServiceAccountCreated(Answer):
    object: Literal["service_account.create"] = "service_account.create"
    message: str = "Service account created"
    service_account: ServiceAccountDetail


class ServiceAccountUpdated(Answer):
    object: Literal["service_account.update"] = "service_account.update"
    message: str = "Service account changed"
    service_account: ServiceAccountDetail


class ServiceAccountDeleted(Answer):
    object: Literal["service_account.delete"] = "service_account.delete"
    message: str = "Service account deleted, and its keys revoked"


class ServiceAccountList(PageAnswer):
    object: Literal["service_account.list"] = "service_account.list"
    message: str = "Service accounts found"
    service_accounts: list[ServiceAccountView]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return the answer for the page."""
        rows: list[Any] = [ServiceAccountView.model_validate(row) for row in page.rows]
        return cls(service_accounts=rows, **page.envelope())


class ServiceKeys(Answer):
    object: Literal["service_account.keys"] = "service_account.keys"
    message: str = "API keys found"
    keys: list[ServiceKeyView]


class ServiceKeyCreated(Answer):
    object: Literal["service_account.key"] = "service_account.key"
    message: str = "API key created; it is shown only here"
    key: ServiceKeyView


class ServiceKeyRotated(Answer):
    object: Literal["service_account.key"] = "service_account.key"
    message: str = "API key rotated; the new one is shown only here"
    key: ServiceKeyView


class ServiceKeyRevoked(Answer):
    object: Literal["service_account.key"] = "service_account.key"
    message: str = "API key revoked"
