from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, OptionalText, PageAnswer, Schema, WebAddress
from budapp.commons.storable import StorableText as Text
from budapp.integrations import mcp_foundry as foundry
from budapp.integrations.peers import Json

AuthType = Literal["OAuth", "Headers", "Open"]
ConnectorId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
ToolId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
BudPromptId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
Name = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Mark = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
Version = Annotated[int, Field(ge=1, le=1_000_000)]
Code = Annotated[Text, StringConstraints(min_length=1, max_length=4096)]
State = Annotated[Text, StringConstraints(min_length=16, max_length=512)]


def _one_line(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not 1 <= len(text) <= 4096 or not text.isprintable():
        raise ValueError("must be one line of 1 to 4096 characters")
    return value


Secret = Annotated[SecretStr, AfterValidator(_one_line)]


class _Credentials(Schema):
    """What a gateway needs to reach its MCP server."""

    model_config = ConfigDict(extra="forbid")

    passthrough_headers: list[HeaderName] | None = Field(
        default=None, max_length=20, description="Headers of the call that are passed on to the MCP server"
    )

    def addresses(self) -> list[str]:
        """Return the addresses that are going to be called."""
        return []


class OAuthCredentials(_Credentials):
    """A client of an authorization server; without `redirect_uri`, people return to budapp."""

    grant_type: Literal["client_credentials", "authorization_code"]
    client_id: Annotated[Text, StringConstraints(min_length=1, max_length=500)] | None = None
    client_secret: Secret | None = None
    token_url: WebAddress = Field(description="Where tokens are got")
    authorization_url: WebAddress | None = Field(default=None, description="Where people give their consent")
    redirect_uri: WebAddress | None = None
    scopes: list[Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$")]] | None = Field(
        default=None, max_length=50, description="OAuth 2.0 scopes to ask for"
    )
    supports_dcr: bool = Field(default=False, description="Whether the client registers by itself (RFC 7591)")
    registration_url: WebAddress | None = Field(
        default=None, description="Where the client registers, where it does by itself"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.grant_type == "authorization_code" and self.authorization_url is None:
            raise ValueError("authorization_url is where people give their consent; add it")
        if not self.supports_dcr and self.client_id is None:
            raise ValueError("client_id is required unless the client registers by itself (supports_dcr)")
        return self

    def addresses(self) -> list[str]:
        """Return the addresses that are going to be called."""
        return [one for one in (self.token_url, self.authorization_url, self.registration_url) if one is not None]


class HeadersCredentials(_Credentials):
    """Headers that go along with each call, as pairs of `key` and `value`."""

    auth_headers: list[dict[Literal["key", "value"], Secret]] = Field(
        min_length=1, max_length=20, description="Headers that go along with each call, each as `key` and `value`"
    )

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if any(set(pair) != {"key", "value"} for pair in self.auth_headers):
            raise ValueError("each header is a key and a value")
        return self


class OpenCredentials(_Credentials):
    """None."""


Credentials = OAuthCredentials | HeadersCredentials | OpenCredentials


def auth_type_of(credentials: Credentials) -> AuthType:
    """Return the kind of the credentials."""
    if isinstance(credentials, OAuthCredentials):
        return "OAuth"
    return "Headers" if isinstance(credentials, HeadersCredentials) else "Open"


class GatewayPaging(Paging):
    """Which gateways are wanted, the newest first."""

    limit: int = Field(default=100, ge=1, le=500)


class RegistryQuery(Paging):
    """`name` is looked for in the names of connectors."""

    name: OptionalText = None


class PromptConnectorQuery(RegistryQuery):
    """With a prompt, which connectors it has (`is_registered`), or has not."""

    version: Version = 1
    prompt_id: Annotated[BudPromptId | None, Field()] = None
    is_registered: bool | None = None


class ConfiguredQuery(GatewayPaging):
    client: Mark | None = None
    include_disabled: bool = False


class AvailableQuery(GatewayPaging):
    client: Mark | None = None


class ToolQuery(GatewayPaging):
    """The tools of a gateway."""


class PromptToolQuery(GatewayPaging):
    prompt_id: BudPromptId
    connector_id: ConnectorId
    version: Version | None = None


class GatewayCreate(Schema):
    """A connector of the registry to set up for the tenant."""

    connector_id: ConnectorId
    credentials: Credentials


class CustomGatewayCreate(Schema):
    """An MCP server of one's own."""

    name: Name
    url: WebAddress
    description: Annotated[Text, StringConstraints(max_length=1000)] | None = None
    transport: Literal["STREAMABLEHTTP", "SSE"] | None = Field(
        default=None, description="How MCP is spoken; null for `STREAMABLEHTTP`"
    )
    auth_type: AuthType = "Open"
    credentials: Credentials = Field(default_factory=OpenCredentials)


class GatewayUpdate(Schema):
    """What is to change; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    description: Annotated[Text, StringConstraints(max_length=1000)] | None = None
    url: WebAddress | None = None
    credentials: Credentials | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing is to change")
        return self


class Toggle(Schema):
    enabled: bool


class Clients(Schema):
    clients: list[Mark] = Field(default=[], max_length=20)


class TagExisting(Schema):
    connector_id: ConnectorId


class Register(Schema):
    credentials: Credentials
    version: Version = Field(default=1, description="The number of the prompt's version, from 1")
    permanent: bool = Field(default=False, description="Nothing depends on it; clients send it")


class AddTools(Schema):
    prompt_id: BudPromptId
    connector_id: ConnectorId
    tool_ids: list[ToolId] = Field(max_length=200, description="All tools that the prompt may call of this connector")
    version: Version = Field(default=1, description="The number of the prompt's version, from 1")
    permanent: bool = False


class OfPrompt(Schema):
    """A connector of a prompt."""

    prompt_id: BudPromptId
    connector_id: ConnectorId
    version: Version | None = Field(default=None, description="The number of the prompt's version; null for the first")


class OfPromptQuery(OfPrompt):
    """A connector of a prompt."""


class Callback(Schema):
    """What the authorization server has sent the browser back with."""

    code: Code = Field(description="What the authorization server has sent the browser back with")
    state: State = Field(description="What the authorization server has sent the browser back with, as it was begun")


class PromptCallback(Callback):
    """The same, for a prompt's connector: where it is named, the consent must be the one for it."""

    prompt_id: BudPromptId | None = None
    connector_id: ConnectorId | None = None


class ConnectorField(Schema):
    """A field of the form by which credentials are entered."""

    field: str
    label: str
    type: str
    order: int
    required: bool
    description: str | None = None
    placeholder: str | None = None
    options: list[str] | None = Field(default=None, description="What can be chosen; null for any text")
    visible_when: dict[str, list[str]] | None = Field(
        default=None, description="Other field → the values with which this one is shown; null for always"
    )
    default: Any = None


class ConnectorItem(Schema):
    id: str
    name: str
    icon: str | None
    category: str | None
    tags: list[str]
    url: str
    provider: str
    description: str | None
    documentation_url: str | None
    auth_type: str
    credential_schema: list[ConnectorField]


class ConnectorList(PageAnswer):
    object: Literal["connector.list"] = "connector.list"
    message: str = "Connectors found"
    connectors: list[ConnectorItem]


class ConnectorAnswer(Answer):
    object: Literal["connector"] = "connector"
    message: str = "Connector found"
    connector: ConnectorItem


class GatewayView(Schema):
    """A gateway; `gateway_id` names it in all routes."""

    gateway_id: UUID
    name: str
    url: str
    transport: str
    visibility: Literal["tenant"] = Field(default="tenant", description="Who sees it: everybody of the tenant")
    connector_id: str | None
    description: str | None
    auth_type: str
    enabled: bool
    is_custom: bool
    tags: list[str]
    created_at: datetime
    modified_at: datetime


class GatewayAnswer(Answer):
    object: Literal["connector_gateway"] = "connector_gateway"
    gateway: GatewayView


class GatewayList(PageAnswer):
    object: Literal["connector_gateway.list"] = "connector_gateway.list"
    message: str = "Gateways found"
    gateways: list[GatewayView]


class ConfiguredItem(Schema):
    id: UUID
    gateway_id: UUID
    connector_id: str | None
    name: str
    enabled: bool
    tags: list[str]
    icon: str | None
    description: str | None
    category: str | None
    auth_type: str
    documentation_url: str | None
    tool_count: int
    oauth_connected: bool
    is_custom: bool


class ConfiguredList(PageAnswer):
    object: Literal["connector.configured.list"] = "connector.configured.list"
    message: str = "Connectors found"
    connectors: list[ConfiguredItem]


class ToolItem(Schema):
    """A tool; clients read some members under names of the foundry's."""

    id: str
    name: str
    displayName: str | None  # noqa: N815
    originalName: str | None = Field(description="What the MCP server calls it")  # noqa: N815
    description: str | None
    type: str = Field(description="The kind of tool, as the foundry says")

    @classmethod
    def of(cls, tool: foundry.Tool) -> Self:
        """Return it of what the foundry says."""
        names = {"displayName": tool.display_name, "originalName": tool.original_name}
        return cls(**tool.model_dump(include={"id", "name", "description", "type"}), **names)


class AvailableItem(Schema):
    id: UUID
    name: str
    icon: str | None
    description: str | None
    auth_type: str
    tools: list[ToolItem]


class AvailableList(PageAnswer):
    object: Literal["connector.available.list"] = "connector.available.list"
    message: str = "Connectors found"
    connectors: list[AvailableItem]


class ToolList(PageAnswer):
    object: Literal["connector_tool.list"] = "connector_tool.list"
    message: str = "Tools found"
    tools: list[ToolItem]


class PromptToolItem(Schema):
    id: str
    name: str
    type: str
    is_added: bool


class PromptToolList(PageAnswer):
    object: Literal["prompt_tool.list"] = "prompt_tool.list"
    message: str = "Tools found"
    tools: list[PromptToolItem]


class ToolDetail(Schema):
    model_config = ConfigDict(populate_by_name=True)

    id: str
    name: str
    description: str
    type: str
    icon: str | None = None
    parameters: Json = Field(alias="schema", description="JSON schema of the tool's input")


class ToolAnswer(Answer):
    object: Literal["connector_tool"] = "connector_tool"
    message: str = "Tool found"
    tool: ToolDetail


class CredentialSchema(Answer):
    model_config = ConfigDict(populate_by_name=True)

    object: Literal["connector.credential_schema"] = "connector.credential_schema"
    message: str = "Credential fields found"
    forms: dict[str, list[ConnectorField]] = Field(
        alias="schema", description="Kind of sign-in → the fields of its form"
    )


class ConsentStarted(Answer):
    object: Literal["connector_oauth.start"] = "connector_oauth.start"
    message: str = "Go to authorization_url to give your consent"
    authorization_url: str = Field(description="Where the browser goes, for the consent")
    state: str = Field(description="Comes back with the consent")
    expires_in: int
    gateway_id: UUID


class OAuthStatus(Answer):
    object: Literal["connector_oauth.status"] = "connector_oauth.status"
    oauth_enabled: bool
    grant_type: str | None
    client_id: str | None
    scopes: list[str] = Field(description="OAuth 2.0 scopes that are asked for")
    authorization_url: str | None
    redirect_uri: str | None
    status_message: str = Field(description="How far the sign-in is set up, in words")


class TokenStatus(Answer):
    object: Literal["connector_oauth.token"] = "connector_oauth.token"
    connected: bool = Field(description="Whether the caller has given their consent")
    expires_at: datetime | None = Field(description="Until when the consent lasts; null where that is not known")
    scopes: list[str] = Field(description="OAuth 2.0 scopes that were granted")


class OAuthDone(Answer):
    object: Literal["connector_oauth.done"] = "connector_oauth.done"
    message: str = "Your consent is there"
    gateway_id: UUID
    user_id: UUID
    expires_at: datetime | None = Field(description="Until when the consent lasts; null where that is not known")
    return_url: str | None = Field(default=None, description="Where the browser goes now; null for nowhere")


class Done(Answer):
    """Something is done."""

    object: Literal["connector.done"] = "connector.done"


class Registered(Answer):
    object: Literal["prompt_connector.register"] = "prompt_connector.register"
    message: str = "Connector registered"
    gateway: GatewayView
    connector_id: str
    budprompt_id: str = Field(description="What budprompt calls the draft or the prompt")


class Disconnected(Answer):
    object: Literal["prompt_connector.disconnect"] = "prompt_connector.disconnect"
    message: str = "Connector disconnected"
    prompt_id: str
    connector_id: str
    deleted_gateway_id: UUID = Field(description="The connector that was taken down with it")


class ToolsAdded(Answer):
    object: Literal["prompt_tool.add"] = "prompt_tool.add"
    message: str = "Tools added"
    virtual_server_id: str = Field(description="The foundry's id of the server with just these tools")
    virtual_server_name: str
    added_tools: list[str] = Field(description="Ids of the tools")
