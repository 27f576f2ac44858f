from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from budapp.commons.schemas import Answer, Email, Schema
from budapp.commons.scopes import UserRole, UserType
from budapp.tenant_ops.schemas import TenantName
from budapp.user_ops.schemas import NewPassword

Password = Annotated[str, StringConstraints(min_length=8, max_length=100)]
ResetTokenText = Annotated[str, StringConstraints(min_length=1, max_length=255)]
RefreshToken = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]


class Login(Schema):
    """The tenant is named by id or by identifier; where neither is given, it is the platform's own."""

    email: Email
    password: Password
    tenant_id: UUID | None = None
    tenant: TenantName | None = None
    user_type: UserType = UserType.CLIENT
    remember_me: bool = False


class Refresh(Schema):
    refresh_token: RefreshToken


class Logout(Schema):
    refresh_token: RefreshToken
    tenant_id: UUID | None = None


class Tokens(Schema):
    """What Keycloak's token endpoint answers (OpenID Connect Core 3.1.3.3)."""

    access_token: str
    expires_in: int
    refresh_expires_in: int
    refresh_token: str
    token_type: str
    id_token: str | None = None
    not_before_policy: int = Field(default=0, alias="not-before-policy")
    session_state: str | None = None
    scope: str | None = None


class LoginAnswer(Answer):
    object: Literal["auth_token"] = "auth_token"
    message: str = "Signed in"
    token: Tokens
    first_login: bool
    is_reset_password: bool


class TokenExchangeRequest(Schema):
    exchange_token: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class ExchangedUser(Schema):
    id: UUID
    name: str
    email: str
    role: UserRole
    user_type: UserType
    status: str
    first_login: bool


class TokenExchange(Schema):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind, not a token
    expires_in: int
    user: ExchangedUser


class TokenExchangeAnswer(Answer):
    object: Literal["auth_token"] = "auth_token"
    message: str = "Signed in"
    result: TokenExchange


class RefreshAnswer(Answer):
    object: Literal["auth_token"] = "auth_token"
    message: str = "Tokens renewed"
    token: Tokens


class ResetRequest(Schema):
    email: Email
    tenant_id: UUID | None = None
    tenant: TenantName | None = None


class ResetAcknowledged(Answer):
    """The same for everyone, whether the e-mail is known or not."""

    object: Literal["password.reset"] = "password.reset"
    message: str = "If we know this e-mail, a link is on its way"
    acknowledged: bool = True
    status: str = "processed"
    transaction_id: str


class ResetToken(Schema):
    token: ResetTokenText


class ResetTokenAnswer(Answer):
    object: Literal["password.reset.token"] = "password.reset.token"
    is_valid: bool
    email: str | None = None
    expires_at: datetime | None = None


class ResetWithToken(ResetToken):
    new_password: NewPassword
    confirm_password: str

    @field_validator("confirm_password")
    @classmethod
    def _same(cls, value: str, info: ValidationInfo) -> str:
        if value != info.data.get("new_password", value):
            raise ValueError("does not match the new password")
        return value
