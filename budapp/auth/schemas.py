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
    tenant: TenantName | None = Field(
        default=None, description="The tenant's identifier; without it and `tenant_id`, it is the platform's own"
    )
    user_type: UserType = Field(default=UserType.CLIENT, description="`admin` refuses customers")
    remember_me: bool = False


class PasswordGrant(Schema):
    """OAuth 2.0's request for tokens by a password (RFC 6749, section 4.3); what else it may have is not read."""

    grant_type: Literal["password"] = Field(description="No other grant is offered")
    username: Email = Field(description="The e-mail address")
    password: Password
    client_id: TenantName | None = Field(
        default=None, description="The tenant's identifier; without it, the platform's own tenant is meant"
    )

    def login(self) -> Login:
        """Return it as a sign-in."""
        return Login(email=self.username, password=self.password, tenant=self.client_id)


class Refresh(Schema):
    refresh_token: RefreshToken


class Logout(Schema):
    refresh_token: RefreshToken
    tenant_id: UUID | None = Field(default=None, description="Nothing depends on it; clients send it")


class Tokens(Schema):
    """What Keycloak's token endpoint answers (OpenID Connect Core 3.1.3.3)."""

    access_token: str
    expires_in: int
    refresh_expires_in: int = Field(
        description="For how many seconds the refresh token is valid; 0 for one that outlives the session"
    )
    refresh_token: str
    token_type: str
    id_token: str | None = Field(default=None, description="JWT of OpenID Connect's claims about the user")
    not_before_policy: int = Field(
        default=0,
        alias="not-before-policy",
        description="Tokens from before this moment are void, in seconds since 1970; 0 for none",
    )
    session_state: str | None = Field(default=None, description="Keycloak's id of the session")
    scope: str | None = Field(
        default=None, description="OAuth 2.0 scopes of the token, parted by spaces; none of budapp's own"
    )


class LoginAnswer(Answer):
    object: Literal["auth_token"] = "auth_token"
    message: str = "Signed in"
    token: Tokens
    first_login: bool
    is_reset_password: bool = Field(description="Whether the password must be changed first")


class TokenAnswer(Answer):
    """OAuth 2.0's answer with tokens (RFC 6749, section 5.1), beside the members of every answer."""

    object: Literal["auth_token"] = "auth_token"
    message: str = "Signed in"
    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind, not a token
    expires_in: int
    refresh_token: str


class TokenExchangeRequest(Schema):
    exchange_token: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="From the address that the browser was sent back to; works once"
    )


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
    tenant: TenantName | None = Field(
        default=None, description="The tenant's identifier; without it and `tenant_id`, it is the platform's own"
    )


class ResetAcknowledged(Answer):
    """The same for everyone, whether the e-mail is known or not."""

    object: Literal["password.reset"] = "password.reset"
    message: str = "If we know this e-mail, a link is on its way"
    acknowledged: bool = True
    status: str = "processed"
    transaction_id: str = Field(description="Made up for each request; leads to nothing")


class ResetToken(Schema):
    token: ResetTokenText = Field(description="From the link in the mail; works once")


class ResetTokenAnswer(Answer):
    object: Literal["password.reset.token"] = "password.reset.token"
    is_valid: bool = Field(description="Whether the link can be used")
    email: str | None = Field(default=None, description="Whose password it sets; null where the link is not valid")
    expires_at: datetime | None = Field(
        default=None, description="Until when the link works; null where it is not valid"
    )


class ResetWithToken(ResetToken):
    new_password: NewPassword
    confirm_password: str

    @field_validator("confirm_password")
    @classmethod
    def _same(cls, value: str, info: ValidationInfo) -> str:
        if value != info.data.get("new_password", value):
            raise ValueError("does not match the new password")
        return value
