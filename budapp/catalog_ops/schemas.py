from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from budapp.commons.crud import Page
from budapp.commons.paging import MAX_LIMIT, Paging
from budapp.commons.schemas import Money, PageAnswer, Schema, blank_to_none
from budapp.model_ops.schemas import ModelAnswer, Source
from budapp.provider_ops.modalities import Endpoints, Modalities, Modality, describe_endpoints, describe_modality

SearchText = Annotated[
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200)] | None,
    BeforeValidator(blank_to_none),
]


class CatalogQuery(Paging):
    """`search` is looked for in names, descriptions and uses; of several modalities, one must fit."""

    limit: int = Field(default=10, ge=1, le=MAX_LIMIT)
    search: SearchText = None  # type: ignore[assignment]
    modality: list[Modality] = Field(default=[], max_length=6)
    status: Literal["active", "deleted"] | None = None


class Pricing(Schema):
    """What `per_tokens` tokens cost, going in and coming out."""

    input_cost: Money
    output_cost: Money
    currency: str
    per_tokens: int


class CatalogItem(Schema):
    """A model that is offered to clients; it is asked for under the name of its deployment."""

    id: UUID
    name: str
    modality: Modalities
    status: Literal["active"]
    description: str | None
    capabilities: list[str]
    token_limit: int | None
    max_input_tokens: int | None
    use_cases: list[str] | None
    author: str | None
    model_size: int | None
    provider_type: Source
    uri: str
    source: str
    provider_icon: str | None
    pricing: Pricing | None
    published_date: datetime
    endpoint_id: UUID
    endpoint_name: str
    supported_endpoints: Endpoints

    _modality = field_validator("modality", mode="before")(describe_modality)
    _endpoints = field_validator("supported_endpoints", mode="before")(describe_endpoints)

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return it of a row of `crud.page_of_published`."""
        pricing = Pricing.model_validate(row, from_attributes=True) if row.currency is not None else None
        return cls.model_validate(
            {**row._mapping, "id": row.model_id, "pricing": pricing, "capabilities": row.strengths or []}
        )


class CatalogList(PageAnswer):
    object: Literal["catalog.models.list"] = "catalog.models.list"
    message: str = "Models found"
    models: list[CatalogItem]

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(models=[CatalogItem.of(row) for row in page.rows], **page.envelope())


class CatalogModel(ModelAnswer):
    object: Literal["catalog.model.get"] = "catalog.model.get"
    message: str = "Model found"
    endpoint_id: UUID
    endpoint_name: str
    pricing: Pricing | None
