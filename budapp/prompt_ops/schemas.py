import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, OptionalText, PageAnswer, Schema
from budapp.commons.storable import StorableText as Text
from budapp.commons.storable import fitting, within
from budapp.integrations import budprompt as peer
from budapp.integrations.peers import Json
from budapp.project_ops.schemas import Tags
from budapp.workflow_ops.schemas import WorkflowPost

PromptType = Literal["simple_prompt"]
_SLUG = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")


def _slug(name: str) -> str:
    found = re.sub(r"\s+", "-", name.strip()).lower()
    if not _SLUG.fullmatch(found):
        raise ValueError("must consist of letters without accents, digits, hyphens and underscores")
    return found


def _one_at_least(value: Any) -> Any:
    """Take 0 steps, as browsers say of work that is one step, for one."""
    return 1 if value == 0 and not isinstance(value, bool) else value


PromptName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_slug)]
BudPromptId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
"""What budprompt calls a prompt or a draft."""
Version = Annotated[int, Field(ge=1, le=1_000_000)]
Description = Annotated[Text, StringConstraints(max_length=5000)]
DeploymentName = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Settings = Annotated[Json, within(64 * 1024)]
JsonSchema = Annotated[Json, within(256 * 1024)]


class PromptQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the prompt's name."""

    name: OptionalText = None
    prompt_type: Annotated[PromptType | None, BeforeValidator(lambda value: value or None)] = None
    project_id: Annotated[UUID | None, BeforeValidator(lambda value: value or None)] = None


class VersionQuery(Paging):
    version: Version | None = None


class TagQuery(Paging):
    """The tags of prompts."""


class TagSearchQuery(TagQuery):
    search_term: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class CompareQuery(Schema):
    """Two versions, by their numbers."""

    from_version: Version = Field(alias="from")
    to_version: Version = Field(alias="to")


class ConfigQuery(Schema):
    version: Version = 1


class PromptUpdate(Schema):
    """What is to change; what is left out stays as it is. A prompt keeps its name: it is called by it."""

    name: PromptName | None = None
    description: Description | None = None
    tags: Tags | None = None
    default_version_id: UUID | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing is to change")
        return self


class VersionCreate(Schema):
    """A draft that becomes the next version, and the deployment that answers it."""

    endpoint_id: UUID
    bud_prompt_id: BudPromptId
    set_as_default: bool = False


class VersionUpdate(Schema):
    endpoint_id: UUID | None = None
    set_as_default: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.endpoint_id is None and not self.set_as_default:
            raise ValueError("nothing is to change; to have another default version, set that one as default")
        return self


class MessagePost(Schema):
    role: Literal["system", "developer", "user", "assistant"] = "user"
    content: Annotated[Text, StringConstraints(min_length=1, max_length=100_000)]


class ModelSettingsPost(Schema):
    """How the model answers; what else budprompt knows goes there as it is."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, gt=0, le=10_000_000)
    top_p: float | None = Field(default=None, ge=0, le=1)
    frequency_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="How much tokens are avoided that came often, from -2 to 2"
    )
    presence_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="How much tokens are avoided that came at all, from -2 to 2"
    )
    stop_sequences: list[Annotated[Text, StringConstraints(max_length=1000)]] | None = Field(
        default=None, max_length=100, description="Texts at which the answer ends"
    )
    seed: int | None = Field(
        default=None,
        ge=-(1 << 63),
        lt=1 << 63,
        description="The same one makes the same answers, as far as the model can",
    )

    @model_validator(mode="after")
    def _small(self) -> Self:
        fitting(self.model_dump(mode="json"), 64 * 1024)
        return self


class PromptConfigPost(Schema):
    """What a draft, or a version of a prompt, says from now on; what is left out stays as it is.

    Without `prompt_id` a draft begins.
    """

    model_config = ConfigDict(protected_namespaces=())

    prompt_id: BudPromptId | None = None
    version: Version = Field(default=1, description="The number of the version, from 1")
    set_default: bool = False
    permanent: bool = False
    deployment_name: DeploymentName | None = None
    model_settings: ModelSettingsPost | None = None
    stream: bool | None = None
    messages: list[MessagePost] | None = Field(default=None, max_length=500)
    llm_retry_limit: int | None = Field(default=None, ge=0, le=100)
    enable_tools: bool | None = None
    allow_multiple_calls: bool | None = None
    system_prompt_role: Literal["system", "developer", "user"] | None = None
    system_prompt: Annotated[Text, StringConstraints(max_length=200_000)] | None = None
    client_metadata: Settings = {}

    def said(self) -> Json:
        """Return what was said of the prompt, and nothing else."""
        own = {"prompt_id", "version", "set_default", "permanent"}
        return self.model_dump(mode="json", exclude=own, exclude_unset=True)


class CleanupItem(Schema):
    prompt_id: BudPromptId
    version: Version | None = Field(default=1, description="The number of the version, from 1")


class CleanupPost(Schema):
    prompts: list[CleanupItem] = Field(max_length=100)
    debug: bool = True


class SchemaPost(Schema):
    """A JSON schema, and what its fields must satisfy, in words."""

    model_config = ConfigDict(populate_by_name=True)

    json_schema: JsonSchema | None = Field(default=None, alias="schema", description="JSON schema; null for text")
    validations: dict[str, dict[str, Annotated[Text, StringConstraints(max_length=5000)]]] | None = Field(
        default=None, max_length=100, description="Part of the schema → field → what it must satisfy, in words"
    )


class PromptSchemaPost(WorkflowPost):
    """Takes over the schema of a prompt's input or output."""

    workflow_total_steps: Annotated[int | None, BeforeValidator(_one_at_least)] = Field(default=None, ge=1, le=100)
    prompt_id: BudPromptId | None = None
    version: Version | None = Field(default=None, description="The number of the version, from 1")
    set_default: bool | None = None
    permanent: bool | None = None
    prompt_schema: SchemaPost | None = Field(default=None, alias="schema")
    type: Literal["input", "output"] | None = None
    deployment_name: DeploymentName | None = None

    def fields(self) -> dict[str, Any]:
        """Return what the step says; the schema in budprompt's words."""
        found = super().fields()
        if self.prompt_schema is not None:
            found["prompt_schema"] = self.prompt_schema.model_dump(mode="json", by_alias=True)
        return found


class PromptPost(WorkflowPost):
    """A step of making a prompt of a draft."""

    project_id: UUID | None = None
    endpoint_id: UUID | None = None
    name: PromptName | None = None
    description: Description | None = None
    tags: Tags | None = None
    prompt_type: PromptType | None = None
    auto_scale: bool | None = None
    caching: bool | None = None
    concurrency: list[Annotated[int, Field(ge=0, le=1_000_000)]] | None = Field(
        default=None, min_length=2, max_length=2, description="How many requests at once: [least, most]"
    )
    rate_limit: bool | None = None
    rate_limit_value: int | None = Field(default=None, ge=1, le=1_000_000_000)
    bud_prompt_id: BudPromptId | None = None
    discarded_prompt_ids: list[CleanupItem] | None = Field(default=None, max_length=100)
    client_metadata: Annotated[Json, within(512 * 1024)] | None = None

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.concurrency is not None and self.concurrency[0] >= self.concurrency[1]:
            raise ValueError("concurrency must be [least, most], the least below the most")
        if self.rate_limit and self.rate_limit_value is None:
            raise ValueError("rate_limit_value is required where rate_limit is on")
        return self


class PromptTag(Schema):
    name: str
    color: str


class ModelMark(Schema):
    model_config = ConfigDict(from_attributes=True, protected_namespaces=())

    name: str
    icon: str | None
    provider_type: str


class PromptItem(Schema):
    """A prompt, and the model that its default version talks to; `prompt_name` is what it is called by."""

    model_config = ConfigDict(from_attributes=True, protected_namespaces=())

    id: UUID
    name: str
    prompt_name: str
    description: str | None
    tags: list[PromptTag] | None
    project_id: UUID
    prompt_type: str
    status: str
    created_at: datetime
    modified_at: datetime
    default_version: int | None = Field(description="The number of the version that counts where none is named")
    default_version_id: UUID | None
    version: int | None = Field(description="The number of the version that counts where none is named")
    model_name: str | None
    model_icon: str | None
    modality: list[str] | None
    model: ModelMark | None


class PromptList(PageAnswer):
    object: Literal["prompts.list"] = "prompts.list"
    message: str = "Prompts found"
    prompts: list[PromptItem]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return it of a page of `page_of_prompts`."""
        return cls(prompts=[_item(row) for row in page.rows], **page.envelope())


class PromptTagList(PageAnswer):
    object: Literal["prompt_tag.list"] = "prompt_tag.list"
    message: str = "Tags found"
    tags: list[PromptTag]


class EndpointMark(Schema):
    id: UUID
    name: str
    status: str
    created_at: datetime
    modified_at: datetime


class VersionModel(Schema):
    model_config = ConfigDict(from_attributes=True, protected_namespaces=())

    id: UUID
    name: str
    author: str | None
    icon: str | None
    uri: str
    source: str
    modality: list[str]
    provider_type: str
    model_size: int | None
    created_at: datetime
    modified_at: datetime


class PromptVersionView(Schema):
    """A version, the deployment that answers it, and its model."""

    id: UUID
    version: int = Field(description="The number of the version, from 1")
    endpoint: EndpointMark
    model: VersionModel
    cluster_id: UUID | None
    created_at: datetime
    modified_at: datetime

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return it of `details`."""
        version = row.PromptVersion
        return cls(
            **{name: getattr(version, name) for name in ("id", "version", "created_at", "modified_at")},
            endpoint=EndpointMark.model_validate(row.Endpoint),
            model=VersionModel.model_validate(row.Model),
            cluster_id=row.Endpoint.cluster_id,
        )


class PromptView(Schema):
    """A prompt with its default version; clients read some members in two places."""

    model_config = ConfigDict(from_attributes=True, protected_namespaces=())

    id: UUID
    name: str
    prompt_name: str
    description: str | None
    tags: list[PromptTag] | None
    project_id: UUID
    prompt_type: str
    auto_scale: bool
    caching: bool
    concurrency: list[int] | None = Field(
        description="How many requests at once: [least, most]; null where it was not said"
    )
    rate_limit: bool
    rate_limit_value: int | None
    status: str
    created_at: datetime
    modified_at: datetime
    created_by: UUID
    default_version: PromptVersionView | None
    default_version_id: UUID | None
    version: int | None = Field(description="The number of the version that counts where none is named")
    model_name: str | None
    model_icon: str | None
    modality: list[str] | None
    model: ModelMark | None


class PromptAnswer(Answer):
    object: Literal["prompt"] = "prompt"
    message: str = "Prompt found"
    prompt: PromptView


class PromptDeleted(Answer):
    object: Literal["prompt.delete"] = "prompt.delete"
    message: str = "Prompt deleted"


class VersionItem(Schema):
    id: UUID
    version: int = Field(description="The number of the version, from 1")
    endpoint_id: UUID
    endpoint_name: str
    created_at: datetime
    modified_at: datetime
    is_default_version: bool


class VersionList(PageAnswer):
    object: Literal["prompt_version.list"] = "prompt_version.list"
    message: str = "Versions found"
    versions: list[VersionItem]


class VersionAnswer(Answer):
    object: Literal["prompt_version"] = "prompt_version"
    version: PromptVersionView


class VersionDetail(VersionAnswer):
    message: str = "Version found"
    config_data: peer.PromptData


class VersionDeleted(Answer):
    object: Literal["prompt_version.delete"] = "prompt_version.delete"
    message: str = "Version deleted"


class Change(Schema):
    """One difference: `path` leads to it, and texts of several lines have their changes in `lines`, as in a patch."""

    model_config = ConfigDict(populate_by_name=True)

    path: str = Field(description="The way to it, from the outside in")
    kind: Literal["added", "removed", "changed"]
    before: Any = Field(default=None, alias="from", description="What it was")
    after: Any = Field(default=None, alias="to", description="What it is")
    lines: list[str] | None = Field(
        default=None, description="The changed lines, as in a patch; null for texts of one line"
    )


class VersionComparison(Answer):
    """What version `to` says otherwise than version `from`."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    object: Literal["prompt_version.comparison"] = "prompt_version.comparison"
    from_version: PromptVersionView = Field(alias="from")
    to_version: PromptVersionView = Field(alias="to")
    changes: list[Change]


class ConfigSaved(Answer):
    object: Literal["prompt_config.save"] = "prompt_config.save"
    message: str = "Prompt saved"
    bud_prompt_id: str
    bud_prompt_version: int


class PromptConfigData(peer.PromptData):
    """What a version of a prompt says, and the id of the deployment that answers it."""

    deployment_id: UUID | None = None


class ConfigAnswer(Answer):
    object: Literal["prompt_config"] = "prompt_config"
    message: str = "Prompt found"
    prompt_id: str
    version: int = Field(description="The number of the version, from 1")
    data: PromptConfigData


class CleanedUp(Answer):
    object: Literal["prompt.cleanup"] = "prompt.cleanup"
    message: str = "Drafts deleted"


def _item(row: Any) -> PromptItem:
    found = dict(row._mapping)
    provider_type = found.pop("model_provider_type")
    model = None
    if found["model_name"] is not None:
        model = ModelMark(name=found["model_name"], icon=found["model_icon"], provider_type=provider_type)
    same = {"prompt_name": found.pop("bud_prompt_id"), "version": found["default_version"]}
    return PromptItem(**found, **same, model=model)
