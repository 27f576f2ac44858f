from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, PageAnswer, Schema
from budapp.commons.storable import cleaned
from budapp.endpoint_ops.models import EndpointStatus
from budapp.playground_ops.models import Feedback

MAX_PROMPT = 100_000
_MAX_JSON = 500_000


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    found, problem = cleaned(value)
    if problem is not None:
        raise ValueError(f"can't be stored: {problem}")
    if len(str(value)) > _MAX_JSON:
        raise ValueError("is too long")
    return dict(found)


def _readable(value: str) -> str:
    if cleaned(value)[1] is not None:
        raise ValueError("holds a character that can't be stored")
    return value


Json = Annotated[dict[str, Any], AfterValidator(_storable)]
Text = Annotated[str, StringConstraints(max_length=MAX_PROMPT), AfterValidator(_readable)]
Prompt = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT), AfterValidator(_readable)
]
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000), AfterValidator(_readable)
]
RequestId = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"), AfterValidator(str.lower)
]
"""The client's own name of a request, in the form of an id: of nothing that is kept here."""
Token = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Tokens = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Score = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
SettingName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_readable)
]


class Initialize(Schema):
    refresh_token: Token = Field(repr=False)


class InitializeWithToken(Schema):
    access_token: Token = Field(repr=False)


class Initialized(Answer):
    object: Literal["playground.initialize"] = "playground.initialize"
    message: str = "The playground is ready"
    user_id: UUID
    initialization_status: Literal["success"] = "success"
    ttl: int = Field(description="For how many seconds the gateway takes the token")
    expires_in: int


class InitializedWithTokens(Initialized):
    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    token_type: str = "Bearer"  # noqa: S105 - the scheme


class DeploymentQuery(Paging):
    name: Annotated[str, StringConstraints(max_length=200)] | None = None
    status: EndpointStatus | None = None
    model_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    model_size: Annotated[str, StringConstraints(pattern=r"^\d{1,15}$")] | None = None
    modality: list[Annotated[str, StringConstraints(max_length=50)]] = Field(default=[], max_length=20)
    tags: list[Annotated[str, StringConstraints(max_length=100)]] = Field(default=[], max_length=20)
    tasks: list[Annotated[str, StringConstraints(max_length=100)]] = Field(default=[], max_length=20)
    project_id: UUID | None = None


class PlaygroundModel(Schema):
    model_config = ConfigDict(protected_namespaces=())

    id: UUID
    name: str
    author: str | None
    description: str | None
    uri: str
    source: str
    icon: str | None
    model_size: int | None
    modality: list[str]
    supported_endpoints: list[str]
    tasks: list[dict[str, Any]] | None
    tags: list[dict[str, Any]] | None
    provider_type: str
    strengths: list[str] | None


class PlaygroundProject(Schema):
    id: UUID
    name: str
    description: str | None
    icon: str | None
    project_type: str


class Cost(Schema):
    cost: float = Field(description="What `per_tokens` tokens cost, in `currency`")
    currency: str
    per_tokens: int


class PlaygroundDeployment(Schema):
    model_config = ConfigDict(protected_namespaces=())

    id: UUID
    name: str
    status: EndpointStatus
    model: PlaygroundModel
    project: PlaygroundProject | None
    input_cost: Cost | None
    output_cost: Cost | None
    context_length: int | None
    created_at: datetime
    modified_at: datetime


class DeploymentList(PageAnswer):
    object: Literal["playground.deployments.list"] = "playground.deployments.list"
    message: str = "Deployments found"
    endpoints: list[PlaygroundDeployment]


class SettingFields(Schema):
    name: SettingName
    system_prompt: Text | None = None
    temperature: float = Field(default=1, ge=0, le=2, allow_inf_nan=False)
    limit_response_length: bool = False
    sequence_length: int | None = Field(default=1000, ge=1, le=10_000_000)
    stop_strings: list[Annotated[str, StringConstraints(max_length=200), AfterValidator(_readable)]] | None = Field(
        default=None, max_length=20
    )
    repeat_penalty: float | None = Field(default=0, ge=-2, le=2, allow_inf_nan=False)
    top_p_sampling: float | None = Field(default=1, ge=0, le=1, allow_inf_nan=False)
    structured_json_schema: Json | None = None


class SettingCreate(SettingFields):
    pass


class SettingUpdate(SettingFields):
    """What is sent is changed."""

    name: SettingName = Field(default_factory=str)
    temperature: float = Field(default=1, ge=0, le=2, allow_inf_nan=False)

    def changes(self) -> dict[str, Any]:
        """Return what was sent."""
        return self.model_dump(exclude_unset=True)


class SettingListed(Schema):
    id: UUID
    name: str
    created_at: datetime
    modified_at: datetime


class SettingView(SettingFields):
    id: UUID
    created_at: datetime
    modified_at: datetime


class SettingAnswer(Answer):
    object: Literal["chat_setting"] = "chat_setting"
    message: str = "Settings found"
    chat_setting: SettingView


class SettingList(PageAnswer):
    object: Literal["chat_setting.list"] = "chat_setting.list"
    message: str = "Settings found"
    chat_settings: list[SettingListed]


class NamedQuery(Paging):
    name: Annotated[str, StringConstraints(max_length=300)] | None = None


class SessionUpdate(Schema):
    """What is sent is changed; `chat_setting_id: null` takes the settings off."""

    name: Name | None = None
    chat_setting_id: UUID | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("name must not be null")
        return self

    def changes(self) -> dict[str, Any]:
        """Return what was sent."""
        return self.model_dump(exclude_unset=True)


class SessionListed(Schema):
    id: UUID
    name: str
    total_tokens: int
    created_at: datetime
    modified_at: datetime


class ChatSessionView(Schema):
    id: UUID
    name: str
    chat_setting: SettingView | None
    created_at: datetime
    modified_at: datetime


class SessionAnswer(Answer):
    object: Literal["chat_session"] = "chat_session"
    message: str = "Chat session found"
    chat_session: ChatSessionView


class ChatSessionList(PageAnswer):
    object: Literal["chat_session.list"] = "chat_session.list"
    message: str = "Chat sessions found"
    chat_sessions: list[SessionListed]


class Usage(Schema):
    model_config = ConfigDict(extra="allow")

    promptTokens: Tokens  # noqa: N815 - the client's name
    completionTokens: Tokens  # noqa: N815 - the client's name
    totalTokens: Tokens  # noqa: N815 - the client's name


class Said(Schema):
    model_config = ConfigDict(extra="allow")

    id: Annotated[str, StringConstraints(max_length=200)]
    createdAt: Annotated[str, StringConstraints(max_length=100)]  # noqa: N815 - the client's name
    role: Annotated[str, StringConstraints(max_length=50)]
    content: Any


class Response(Schema):
    """The answer as the playground's browser keeps it."""

    model_config = ConfigDict(extra="allow")

    message: Said
    usage: Usage


def _well_formed(value: dict[str, Any]) -> dict[str, Any]:
    Response.model_validate(value)
    return value


ResponseJson = Annotated[dict[str, Any], AfterValidator(_storable), AfterValidator(_well_formed)]


class Figures(Schema):
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    token_per_sec: Seconds | None = None
    ttft: Seconds | None = Field(
        default=None, description="Time to the first token, as the client measured it; kept in its unit"
    )
    tpot: Seconds | None = Field(
        default=None, description="Time per output token, as the client measured it; kept in its unit"
    )
    e2e_latency: Seconds | None = Field(
        default=None, description="Time of the whole answer, as the client measured it; kept in its unit"
    )


class MessageCreate(Figures):
    prompt: Prompt = Field(description="What the model was asked")
    response: ResponseJson = Field(description="The answer, as the browser keeps it: `message` and `usage`")
    deployment_id: UUID
    is_cache: bool = False
    chat_session_id: UUID | None = None
    chat_setting_id: UUID | None = None
    request_id: RequestId = Field(description="The client's own id of the request, a UUID")


_WITH_CONTENT = frozenset({"prompt", "response", "deployment_id", "is_cache", *Figures.model_fields})


class MessageUpdate(Figures):
    """Feedback and scores alone, or another answer, with all that was measured of it."""

    prompt: Prompt | None = Field(default=None, description="What the model was asked")
    response: ResponseJson | None = Field(
        default=None, description="The answer, as the browser keeps it: `message` and `usage`"
    )
    deployment_id: UUID | None = None
    request_id: RequestId | None = Field(default=None, description="The client's own id of the request, a UUID")
    is_cache: bool | None = None
    harmfullness: Score | None = None
    faithfulness: Score | None = None
    feedback: Feedback | None = None

    @property
    def replaces(self) -> bool:
        """Whether there is another answer."""
        return not self.model_fields_set.isdisjoint(_WITH_CONTENT)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        lacking = sorted(name for name in _WITH_CONTENT if getattr(self, name) is None)
        if self.replaces and lacking:
            raise ValueError(f"another answer needs {', '.join(lacking)} too")
        return self

    def changes(self) -> dict[str, Any]:
        """Return what was sent; a request id only where one is named."""
        found = self.model_dump(exclude_unset=True)
        return {name: value for name, value in found.items() if name != "request_id" or value is not None}


class MessageView(Figures):
    id: UUID
    chat_session_id: UUID
    request_id: UUID = Field(description="The client's own id of the request, a UUID")
    parent_message_id: UUID | None = Field(description="The message before it; null for the first one")
    prompt: str = Field(description="What the model was asked")
    response: dict[str, Any] = Field(description="The answer, as the browser keeps it: `message` and `usage`")
    deployment_id: UUID
    is_cache: bool
    harmfullness: float | None
    faithfulness: float | None
    feedback: Feedback | None
    created_at: datetime
    modified_at: datetime


class MessageAnswer(Answer):
    object: Literal["chat_message"] = "chat_message"
    message: str = "Message kept"
    chat_message: MessageView


class MessageQuery(Paging):
    prompt: Annotated[str, StringConstraints(max_length=1000)] | None = None


class MessageList(PageAnswer):
    object: Literal["chat_message.list"] = "chat_message.list"
    message: str = "Messages found"
    chat_messages: list[MessageView]


class NoteCreate(Schema):
    chat_session_id: UUID
    note: Note


class NoteUpdate(Schema):
    note: Note


class NoteView(Schema):
    id: UUID
    note: str
    created_at: datetime
    modified_at: datetime


class NoteAnswer(Answer):
    object: Literal["chat_note"] = "chat_note"
    message: str = "Note kept"
    note: NoteView


class NoteQuery(Paging):
    note: Annotated[str, StringConstraints(max_length=1000)] | None = None


class NoteList(PageAnswer):
    object: Literal["chat_note.list"] = "chat_note.list"
    message: str = "Notes found"
    notes: list[NoteView]


class ChatMessageIn(Schema):
    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Any = Field(default=None, description="A text, or parts as OpenAI's API has them")


class ChatRequest(Schema):
    """An OpenAI-compatible request; `model` is the deployment's name. What else it has is passed on as it is."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_readable)] = Field(
        description="What the deployment is called by"
    )
    messages: list[ChatMessageIn] = Field(min_length=1, max_length=1000)
    stream: bool = False
