from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from budapp.commons.crud import Page
from budapp.commons.paging import MAX_LIMIT, Paging
from budapp.commons.schemas import Answer, Money, PageAnswer, Schema, blank_to_none
from budapp.integrations.budmodel import AudioConfig, TextConfig, VisionConfig
from budapp.model_ops.schemas import (
    Example,
    LicenseView,
    ModelReport,
    ModelTree,
    PaperView,
    Requirements,
    Source,
)
from budapp.model_ops.step_views import Mark
from budapp.provider_ops.modalities import Endpoints, Modalities, Modality, describe_endpoints, describe_modality
from budapp.provider_ops.schemas import ProviderView

SearchText = Annotated[
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200)] | None,
    BeforeValidator(blank_to_none),
]


class CatalogQuery(Paging):
    """`search` is looked for in names, descriptions and uses; of several modalities, one must fit."""

    limit: int = Field(default=10, ge=1, le=MAX_LIMIT)
    search: SearchText = Field(default=None, description="The text to look for")  # type: ignore[assignment]
    modality: list[Modality] = Field(default=[], max_length=6)
    status: Literal["active", "deleted"] | None = None


class Pricing(Schema):
    """What `per_tokens` tokens cost, going in and coming out."""

    input_cost: Money
    output_cost: Money
    currency: str
    per_tokens: int

    @classmethod
    def of(cls, row: Any) -> Self | None:
        """Return the price in a row, or None where the deployment has none."""
        return cls.model_validate(row) if row.currency is not None else None


class _Offer(Schema):
    """What clients may know of a model, in lists and by itself.

    These fields are named one by one: what the repository learns to tell of its models stays there, until it is named.
    """

    id: UUID
    name: str
    description: str | None
    author: str | None
    uri: str
    source: str
    provider_type: Source
    model_size: int | None
    modality: Modalities
    supported_endpoints: Endpoints
    use_cases: list[str] | None


class CatalogItem(_Offer):
    """A model that is offered to clients; it is asked for under the name of its deployment."""

    status: Literal["active"]
    capabilities: list[str] = Field(description="What the model is good at, in words")
    token_limit: int | None = Field(description="How many tokens the model handles at once, input and output together")
    max_input_tokens: int | None
    provider_icon: str | None
    pricing: Pricing | None
    published_date: datetime
    endpoint_id: UUID
    endpoint_name: str

    _modality = field_validator("modality", mode="before")(describe_modality)
    _endpoints = field_validator("supported_endpoints", mode="before")(describe_endpoints)

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return it of a row of `crud.page_of_published`."""
        return cls.model_validate(
            {**row._mapping, "id": row.model_id, "pricing": Pricing.of(row), "capabilities": row.strengths or []}
        )


class CatalogList(PageAnswer):
    object: Literal["catalog.models.list"] = "catalog.models.list"
    message: str = "Models found"
    models: list[CatalogItem]

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(models=[CatalogItem.of(row) for row in page.rows], **page.envelope())


class CatalogDetail(_Offer):
    """What clients may know of a model: what it is and can do, not where it lies, who added it, or where it runs."""

    icon: str | None
    provider: ProviderView | None
    is_present_in_model: bool
    tags: list[Mark] | None
    tasks: list[Mark] | None
    family: str | None
    model_type: str | None
    languages: list[str] | None
    strengths: list[str] | None
    limitations: list[str] | None
    examples: list[Example] | None
    base_model: list[str] | None
    base_model_relation: str | None
    bud_verified: bool
    scan_verified: bool | None
    eval_verified: bool
    model_licenses: LicenseView | None
    paper_published: list[PaperView]
    github_url: str | None
    huggingface_url: str | None
    website_url: str | None
    model_weights_size: int | None
    kv_cache_size: int | None
    storage_size_gb: float | None
    minimum_requirements: Requirements | None
    architecture_text_config: TextConfig | None
    architecture_vision_config: VisionConfig | None
    architecture_audio_config: AudioConfig | None
    created_at: datetime
    modified_at: datetime


class CatalogModel(Answer):
    object: Literal["catalog.model.get"] = "catalog.model.get"
    message: str = "Model found"
    endpoint_id: UUID
    endpoint_name: str
    model: CatalogDetail
    model_tree: ModelTree
    endpoints_count: int
    pricing: Pricing | None

    @classmethod
    def of(cls, found: ModelReport, row: Any) -> Self:
        """Return it of a model and the row of its deployment, `crud.published`."""
        return cls(
            endpoint_id=row.id,
            endpoint_name=row.name,
            model=CatalogDetail.model_validate(found.model),
            model_tree=found.model_tree,
            endpoints_count=found.endpoints_count,
            pricing=Pricing.of(row),
        )
