from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import UploadFile
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    StringConstraints,
    computed_field,
    field_validator,
    model_validator,
)

from budapp.asset_ops.icons import Icon
from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import (
    Answer,
    Color,
    Money,
    Name,
    OptionalText,
    PageAnswer,
    Schema,
    WebAddress,
    blank_to_none,
)
from budapp.commons.texts import composed
from budapp.integrations.budmodel import AudioConfig, TextConfig, VisionConfig
from budapp.model_ops.step_views import Mark, ScanResult
from budapp.provider_ops.modalities import (
    EndpointPath,
    Endpoints,
    Modalities,
    Modality,
    describe_endpoints,
    describe_modality,
)
from budapp.provider_ops.schemas import ProviderView
from budapp.workflow_ops.schemas import WorkflowPost
from budapp.workflow_ops.step_views import Json as JsonObject

Keyword = Literal["llm", "mllm", "image", "embedding", "text_to_speech", "speech_to_text", "audio_llm", "omni"]
Source = Literal["cloud_model", "hugging_face", "url", "disk"]
Uri = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), AfterValidator(composed)]


class ModelTag(Schema):
    name: Name
    color: Color = "#E57333"


class ModelPost(WorkflowPost):
    """What both ways of adding a model ask."""

    name: Name | None = None
    uri: Uri | None = None
    tags: list[ModelTag] | None = Field(default=None, max_length=50)
    add_model_modality: list[Keyword] | None = None


class CloudModelPost(ModelPost):
    """A step of adding a model of a cloud."""

    provider_type: Literal["cloud_model"] | None = None
    provider_id: UUID | None = None
    cloud_model_id: UUID | None = None
    modality: list[Modality] | None = None

    @field_validator("modality", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        """Read it as browsers have it from a model, too: what goes in and what comes out."""
        if not isinstance(value, dict):
            return value
        sides = ("input", "output")
        return [f"{kind}_{side}" for kind, ways in value.items() for side in sides if _is_on(ways, side)] or None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.workflow_id is not None and "cloud_model_id" not in self.model_fields_set:
            named = (self.provider_type, self.provider_id, self.modality, self.uri, self.tags, self.name)
            if all(value is None for value in named):
                raise ValueError("one of provider_type, provider_id, modality, uri, tags, name is required")
        return self


class LocalModelPost(ModelPost):
    """A step of adding a model with files of its own."""

    provider_type: Literal["hugging_face", "url", "disk"] | None = None
    proprietary_credential_id: UUID | None = None
    author: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] | None = None
    icon: Annotated[Icon | None, BeforeValidator(blank_to_none)] = None

    @model_validator(mode="after")
    def _fits_the_provider(self) -> Self:
        if self.proprietary_credential_id and self.provider_type not in (None, "hugging_face"):
            raise ValueError("proprietary_credential_id should be None for non-HuggingFace providers")
        if self.icon and self.provider_type == "hugging_face":
            raise ValueError("Icon is not supported for HuggingFace models")
        return self


class SecurityScanPost(WorkflowPost):
    """A step of scanning a model."""

    model_id: UUID | None = None

    @model_validator(mode="after")
    def _names_the_model(self) -> Self:
        if self.model_id is None and (self.step_number == 1 or self.workflow_id is None):
            raise ValueError("model_id is required in the first step")
        return self


Relation = Literal["adapter", "merge", "quantized", "finetune"]
Texts = Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=50)]
Billions = Annotated[int, Field(ge=0, le=500)]


class ModelQuery(Paging):
    """Of several values in one filter, one must fit; all filters must.

    With `search`, `name`, `description` and `tag` are looked for in names, descriptions and the names of tags, and one
    of them is enough; without, `name` must be the model's name, and `tag` one of its tags. `model_size_min` and
    `model_size_max` are in billions of parameters. What only models of the repository have (`author`, `base_model`,
    `base_model_relation`) is refused for those of clouds.
    """

    name: OptionalText = None
    description: OptionalText = None
    table_source: Literal["model", "cloud_model"] = "cloud_model"
    source: OptionalText = None
    provider_id: UUID | None = None
    provider_type: Source | None = None
    tag: Texts = []
    tags: Texts = []
    tasks: Texts = []
    author: Texts = []
    modality: list[Modality] = Field(default=[], max_length=6)
    supported_endpoints: list[EndpointPath] = Field(default=[], max_length=20)
    model_size_min: Billions | None = None
    model_size_max: Billions | None = None
    base_model: OptionalText = None
    base_model_relation: Relation | None = None
    exclude_adapters: bool | None = None


class MarkQuery(Paging):
    """`name` is looked for in the names."""

    name: OptionalText = None


class AuthorQuery(Paging):
    """With `search`, `author` is looked for in the names; without, it must be the author's name."""

    author: OptionalText = None


class ModelTagList(PageAnswer):
    object: Literal["model.tag.list"] = "model.tag.list"
    message: str = "Tags found"
    tags: list[Mark]


class TaskList(PageAnswer):
    object: Literal["model.task.list"] = "model.task.list"
    message: str = "Tasks found"
    tasks: list[Mark]


class AuthorList(PageAnswer):
    object: Literal["model.author.list"] = "model.author.list"
    message: str = "Authors found"
    authors: list[str]

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(authors=[row.name for row in page.rows], **page.envelope())


class RecommendedClusterView(Schema):
    """A cluster, and how much of it is free."""

    name: str
    cpu_total_workers: int
    cpu_available_workers: int
    gpu_total_workers: int
    gpu_available_workers: int
    hpu_total_workers: int
    hpu_available_workers: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total_workers(self) -> int:
        """The workers of all kinds."""
        return self.cpu_total_workers + self.gpu_total_workers + self.hpu_total_workers

    @computed_field  # type: ignore[prop-decorator]
    @property
    def available_workers(self) -> int:
        """Those that are free."""
        return self.cpu_available_workers + self.gpu_available_workers + self.hpu_available_workers

    @computed_field  # type: ignore[prop-decorator]
    @property
    def availability_percentage(self) -> float:
        """How many of a hundred workers are free."""
        return round(100 * self.available_workers / self.total_workers, 2) if self.total_workers else 0


class RecommendationView(Schema):
    """The cluster that suits a model best, and what a million tokens cost there."""

    hardware_type: list[str]
    cost_per_million_tokens: Money
    cluster: RecommendedClusterView


class ModelView(Schema):
    """A model, of the repository or of a cloud, as lists show it."""

    id: UUID
    name: str
    description: str | None
    author: str | None
    icon: str | None
    uri: str
    source: str
    provider_type: Source
    local_path: str | None = None
    model_size: int | None
    tags: list[Mark] | None
    tasks: list[Mark] | None
    modality: Modalities
    supported_endpoints: Endpoints
    is_present_in_model: bool
    provider: ProviderView | None
    model_cluster_recommended: RecommendationView | None = None
    created_at: datetime
    modified_at: datetime

    _modality = field_validator("modality", mode="before")(describe_modality)
    _endpoints = field_validator("supported_endpoints", mode="before")(describe_endpoints)


class ModelListed(Schema):
    """A model with its id and name beside it, as some clients read them there."""

    id: UUID
    name: str
    model: ModelView
    endpoints_count: int


class ModelList(PageAnswer):
    object: Literal["model.list"] = "model.list"
    message: str = "Models found"
    models: list[ModelListed]


class Example(Schema):
    prompt: str | None = Field(default=None, description="What the model is asked")
    prompt_type: str | None = Field(default=None, description="The kind of content that `prompt` is")
    response: str | None = Field(default=None, description="What the model answers")
    response_type: str | None = Field(default=None, description="The kind of content that `response` is")


def _yes_or_no(value: Any) -> Any:
    return {True: "YES", False: "NO"}[value] if isinstance(value, bool) else value


class Faq(Schema):
    question: str
    answer: Annotated[Literal["YES", "NO"] | None, BeforeValidator(_yes_or_no)] = Field(
        default=None, description="Whether it speaks for the license; null where that is not known"
    )
    description: str | None = None


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


OptionalAddress = Annotated[WebAddress | None, BeforeValidator(blank_to_none)]
Marks = Annotated[list[ModelTag], Field(max_length=50)]


class ModelEdit(Schema):
    """What is to be changed; what is not said stays. A blank text or address is taken away.

    A new license takes the place of the one before, with `remove_license` or without.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: Name | None = None
    description: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000)] | None, BeforeValidator(blank_to_none)
    ] = None
    tags: Json[Marks] | None = None
    tasks: Json[Marks] | None = None
    icon: Icon | None = None
    paper_urls: Annotated[list[WebAddress] | None, BeforeValidator(_split), Field(max_length=50)] = None
    github_url: OptionalAddress = None
    huggingface_url: OptionalAddress = None
    website_url: OptionalAddress = None
    license_url: OptionalAddress = None
    license_file: UploadFile | None = None
    remove_license: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give at least one field to change")
        return self

    @model_validator(mode="after")
    def _names_one_license(self) -> Self:
        if self.license_url is not None and self.license_file is not None:
            raise ValueError("only one of license_url and license_file can be given")
        return self


class LicenseView(Schema):
    """A license: `url` can be opened as it is, and `path` leads to a file that was uploaded, under `/static/`.

    Of an uploaded file, both are good for a short while.
    """

    id: UUID
    name: Annotated[str, BeforeValidator(lambda name: name or "LICENSE")]
    path: str | None = Field(description="The file that was uploaded, under `/static/`; null for an address")
    url: str | None = Field(description="An address that can be opened as it is")
    data_type: Literal["url", "minio"] = Field(description="An address (`url`), or a file that was uploaded (`minio`)")
    license_type: str | None
    description: str | None
    suitability: str | None
    faqs: list[Faq] | None


class PaperView(Schema):
    id: UUID
    title: str | None
    url: str | None
    authors: list[str] | None


class Requirements(Schema):
    device_name: str | None = None
    core: int | None = Field(default=None, description="How many CPU cores")
    memory: str | None = Field(default=None, description="Memory of the device, in words")
    RAM: str | None = Field(default=None, description="Main memory, in words")


class CreatorView(Schema):
    id: UUID
    name: str
    email: str
    color: str
    role: str


class ModelDetail(ModelView):
    """All that is known of a model in the repository."""

    bud_verified: bool
    scan_verified: bool | None
    eval_verified: bool
    family: str | None
    kv_cache_size: int | None
    languages: list[str] | None
    use_cases: list[str] | None
    strengths: list[str] | None
    limitations: list[str] | None
    examples: list[Example] | None
    model_licenses: LicenseView | None
    paper_published: list[PaperView]
    github_url: str | None
    huggingface_url: str | None
    website_url: str | None
    base_model: list[str] | None
    base_model_relation: str | None
    model_type: str | None
    model_weights_size: int | None
    storage_size_gb: float | None
    minimum_requirements: Requirements | None
    architecture_text_config: TextConfig | None
    architecture_vision_config: VisionConfig | None
    architecture_audio_config: AudioConfig | None
    created_user: CreatorView | None


class ModelTree(Schema):
    """How many models in the repository come from this one."""

    adapters_count: int = 0
    finetunes_count: int = 0
    merges_count: int = 0
    quantizations_count: int = 0


class ModelReport(Schema):
    """A model of the repository with what was found out about it."""

    model: ModelDetail
    scan_result: ScanResult | None
    eval_result: JsonObject | None = None
    model_tree: ModelTree
    endpoints_count: int


class ModelRetrieved(Answer, ModelReport):
    object: Literal["model.get"] = "model.get"
    message: str = "Model found"


class ModelEdited(Answer, ModelReport):
    object: Literal["model.edit"] = "model.edit"
    message: str = "Model updated"


class ModelDeleted(Answer):
    object: Literal["model.delete"] = "model.delete"
    message: str = "Model deleted"


def _is_on(ways: Any, side: str) -> bool:
    return isinstance(ways, dict) and bool(ways.get(side))
