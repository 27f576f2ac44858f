import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from budapp.commons.schemas import Answer, Schema
from budapp.commons.scopes import UserRole, UserType
from budapp.tenant_ops.schemas import TenantName

Result = TypeVar("Result")

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


class OAuthProvider(StrEnum):
    """`oidc` is a provider of the tenant's own that speaks OpenID Connect."""

    GOOGLE = "google"
    LINKEDIN = "linkedin"
    GITHUB = "github"
    MICROSOFT = "microsoft"
    OIDC = "oidc"


class CamelSchema(Schema):
    """What the clients of these routes write in camel case."""

    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)


class Single(Answer, Generic[Result]):
    """The envelope of one result."""

    object: Literal["oauth"] = "oauth"
    result: Result


def _is_domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise ValueError("must be a domain such as example.com")
    return value


def _is_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("must be an address that starts with https://")
    return value


Domain = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True), AfterValidator(_is_domain)]
Address = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_is_address)]


class ConfigData(CamelSchema):
    """What a provider needs beside the client.

    `oidc` needs the first four, `microsoft` needs `directory`, its name of the company: an address that is read from
    any other directory is whatever that one's administrator wrote. People who are made at their first sign-in get
    `default_role` and `default_user_type`.
    """

    model_config = ConfigDict(**CamelSchema.model_config, extra="forbid")

    issuer: Address | None = Field(default=None, description="Address that the provider's tokens name as `iss`")
    authorization_url: Address | None = Field(default=None, description="Where people sign in")
    token_url: Address | None = Field(default=None, description="Where tokens are got")
    jwks_url: Address | None = Field(default=None, description="Where the keys are that its tokens are signed by")
    user_info_url: Address | None = Field(default=None, description="Where the user's name and address are told")
    directory: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,100}$", to_lower=True)] | None = Field(
        default=None, description="Microsoft's name of the company's directory"
    )
    display_name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None = None
    enforced: bool = Field(default=False, description="Whether people of `allowedDomains` may sign in only this way")
    default_role: Literal[UserRole.DEVELOPER, UserRole.DEVOPS, UserRole.TESTER] = Field(
        default=UserRole.DEVELOPER, description="The role of people who become users at their first sign-in"
    )
    default_user_type: UserType = Field(
        default=UserType.CLIENT, description="What people become who become users at their first sign-in"
    )

    def addresses(self) -> dict[str, str]:
        """Return the name and value of each address that is given."""
        return self.model_dump(include=set(OIDC_ADDRESSES), exclude_none=True, by_alias=True)


OIDC_ADDRESSES = ("issuer", "authorization_url", "token_url", "jwks_url", "user_info_url")
_NEEDED = OIDC_ADDRESSES[:4]
_ANY_DIRECTORY = ("common", "organizations", "consumers")


class OAuthConfigure(CamelSchema):
    tenant_id: UUID | None = None
    provider: OAuthProvider
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    client_secret: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    enabled: bool = True
    allowed_domains: Annotated[list[Domain], Field(max_length=100)] | None = None
    auto_create_users: bool = False
    config_data: ConfigData = ConfigData()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.provider is OAuthProvider.OIDC:
            lacking = [name for name in _NEEDED if getattr(self.config_data, name) is None]
            if lacking:
                raise ValueError(f"oidc requires configData.{', configData.'.join(map(to_camel, lacking))}")
        elif self.config_data.addresses():
            raise ValueError("addresses in configData are for oidc only")
        if self.provider is OAuthProvider.MICROSOFT and self.config_data.directory in {None, *_ANY_DIRECTORY}:
            raise ValueError("microsoft requires configData.directory")
        if self.config_data.enforced and not self.allowed_domains:
            raise ValueError("configData.enforced requires allowedDomains")
        return self


class OAuthConfiguration(CamelSchema):
    id: UUID
    tenant_id: UUID
    provider: OAuthProvider
    client_id: str
    enabled: bool
    allowed_domains: list[str]
    auto_create_users: bool
    config_data: ConfigData


class OfferedProvider(CamelSchema):
    """A provider as the sign-in page offers it."""

    provider: OAuthProvider
    enabled: Literal[True] = True
    display_name: str
    icon_url: str | None = None


class OfferedProviders(CamelSchema):
    tenant_id: UUID
    providers: list[OfferedProvider]


ReturnUrl = Annotated[str, StringConstraints(min_length=1, max_length=2083)]


class OAuthLogin(CamelSchema):
    """The tenant is named by id or by identifier; where neither is given, it is the platform's own."""

    provider: OAuthProvider
    tenant_id: UUID | None = None
    tenant: TenantName | None = Field(
        default=None, description="The tenant's identifier; without it and `tenantId`, it is the platform's own"
    )
    redirect_uri: ReturnUrl | None = None


class OAuthLink(CamelSchema):
    provider: OAuthProvider
    redirect_uri: ReturnUrl | None = None


class OAuthStarted(CamelSchema):
    """Have the browser go to `auth_url`; `state` comes back with it, for comparison."""

    auth_url: str = Field(description="Where the browser goes")
    state: str = Field(description="Comes back with the browser, for comparison")
    expires_at: datetime


class Configuration(Single[OAuthConfiguration]):
    message: str = "Provider configured"


class Configurations(Single[list[OAuthConfiguration]]):
    message: str = "Providers found"


class Providers(Single[OfferedProviders]):
    message: str = "Providers found"


class Started(Single[OAuthStarted]):
    message: str = "Sign in at the provider"


def config_data(value: Any) -> dict[str, Any]:
    """Return the settings as they are kept."""
    data = ConfigData.model_validate(value)
    return data.model_dump(mode="json", by_alias=True, exclude_none=True)
