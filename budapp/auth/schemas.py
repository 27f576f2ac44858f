from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from budapp.commons.schemas import Answer, Email, Schema
from budapp.commons.scopes import UserType

Password = Annotated[str, StringConstraints(min_length=8, max_length=100)]
RefreshToken = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]


class Login(Schema):
    email: Email
    password: Password
    tenant_id: UUID | None = None
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


class RefreshAnswer(Answer):
    object: Literal["auth_token"] = "auth_token"
    message: str = "Tokens renewed"
    token: Tokens
