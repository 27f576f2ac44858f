from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Color, Name, OptionalText, PageAnswer, Schema
from budapp.model_ops.modalities import Endpoints, Modalities, Modality, describe_endpoints, describe_modality
from budapp.workflow_ops.schemas import WorkflowPost
from budapp.workflow_ops.step_views import Json, Mark, ScanResult

Keyword = Literal["llm", "mllm", "image", "embedding", "text_to_speech", "speech_to_text", "audio_llm", "omni"]
Source = Literal["cloud_model", "hugging_face", "url", "disk"]
Uri = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Tag(Schema):
    name: Name
    color: Color = "#E57333"


class ModelPost(WorkflowPost):
    """What both ways of adding a model ask."""

    name: Name | None = None
    uri: Uri | None = None
    tags: list[Tag] | None = Field(default=None, max_length=50)
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
    icon: Annotated[str, StringConstraints(max_length=500)] | None = None

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


class ProviderQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the provider's name."""

    name: OptionalText = None
    capabilities: Literal["model", "moderation", "local"] | None = "model"


class ProviderView(Schema):
    id: UUID
    name: str
    description: str | None
    type: str
    icon: str
    capabilities: list[str]


class ProviderList(PageAnswer):
    object: Literal["provider.list"] = "provider.list"
    message: str = "Providers found"
    providers: list[ProviderView]

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(providers=[ProviderView.model_validate(row) for row in page.rows], **page.envelope())


class ModelQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the model's name."""

    name: OptionalText = None
    table_source: Literal["model", "cloud_model"] = "cloud_model"
    source: OptionalText = None
    provider_id: UUID | None = None


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
    created_at: datetime
    modified_at: datetime

    _modality = field_validator("modality", mode="before")(describe_modality)
    _endpoints = field_validator("supported_endpoints", mode="before")(describe_endpoints)


class ModelListed(Schema):
    model: ModelView
    endpoints_count: int


class ModelList(PageAnswer):
    object: Literal["model.list"] = "model.list"
    message: str = "Models found"
    models: list[ModelListed]


class Example(Schema):
    prompt: str | None = None
    prompt_type: str | None = None
    response: str | None = None
    response_type: str | None = None


class Faq(Schema):
    question: str
    answer: bool | str | None = None
    description: str | None = None


class LicenseView(Schema):
    id: UUID
    name: str | None
    path: str | None
    url: str | None
    data_type: Literal["url", "minio"]
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
    core: int | None = None
    memory: str | None = None
    RAM: str | None = None


class RopeScaling(Schema):
    factor: float | None = None
    rope_type: str | None = None


class VisionConfig(Schema):
    hidden_size: int | None = None
    intermediate_size: int | None = None
    num_layers: int | None = None
    torch_dtype: str | None = None


class TextConfig(VisionConfig):
    context_length: int | None = None
    num_attention_heads: int | None = None
    num_key_value_heads: int | None = None
    rope_scaling: RopeScaling | None = None
    vocab_size: int | None = None


class AudioConfig(Schema):
    num_layers: int | None = None
    hidden_size: int | None = None
    num_attention_heads: int | None = None
    num_mel_bins: int | None = None
    sample_rate: int | None = None
    max_source_positions: int | None = None
    max_target_positions: int | None = None
    torch_dtype: str | None = None


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


class ModelRetrieved(Answer):
    object: Literal["model.get"] = "model.get"
    message: str = "Model found"
    model: ModelDetail
    scan_result: ScanResult | None
    eval_result: Json | None = None
    model_tree: ModelTree
    endpoints_count: int


class _Told(BaseModel):
    """What budmodel tells; it may tell more than is read here."""

    model_config = ConfigDict(extra="ignore")


class ToldFaq(_Told):
    question: str
    reason: list[str] | None = None
    impact: str | None = None


class ToldLicense(_Told):
    name: str | None = None
    url: str | None = None
    type: str | None = None
    description: str | None = None
    suitability: str | None = None
    faqs: list[ToldFaq] | None = None


class ToldPaper(_Told):
    title: str | None = None
    authors: list[str] | None = None
    url: str | None = None


class ToldTree(_Told):
    base_model: list[str] | None = None
    is_finetune: bool = False
    is_adapter: bool = False
    is_quantization: bool = False
    is_merge: bool = False


class ToldArchitecture(_Told):
    type: str | None = None
    family: str | None = None
    num_params: int | None = None
    model_weights_size: int | None = None
    kv_cache_size: int | None = None
    text_config: Json | None = None
    vision_config: Json | None = None
    audio_config: Json | None = None


class ToldModel(_Told):
    """What budmodel knows of a model."""

    author: str | None = None
    description: str | None = None
    uri: str | None = None
    modality: str = "llm"
    tags: list[str] | None = None
    tasks: list[str] | None = None
    papers: list[ToldPaper] | None = None
    github_url: str | None = None
    provider_url: str | None = None
    website_url: str | None = None
    logo_url: str | None = None
    license: ToldLicense | None = None
    model_tree: ToldTree | None = None
    languages: list[str] | None = None
    use_cases: list[str] | None = None
    strengths: list[str] | None = None
    limitations: list[str] | None = None
    architecture: ToldArchitecture | None = None


class ToldExtraction(_Told):
    model_info: ToldModel
    local_path: str = Field(min_length=1)


class ToldIssue(_Told):
    title: str | None = None
    severity: str
    description: str | None = None
    source: str | None = None


class ToldFindings(_Told):
    total_issues: int
    total_scanned: int
    total_skipped_files: int
    scanned_files: list[str]
    total_issues_by_severity: dict[str, int]
    model_issues: list[ToldIssue]


class ToldScan(_Told):
    scan_result: ToldFindings


def _is_on(ways: Any, side: str) -> bool:
    return isinstance(ways, dict) and bool(ways.get(side))
