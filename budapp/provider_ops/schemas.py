from typing import Literal
from uuid import UUID

from pydantic import Field

from budapp.commons.paging import Paging
from budapp.commons.schemas import OptionalText, PageAnswer, Schema


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


class CountedTag(Schema):
    name: str
    color: str
    count: int = Field(description="How many models have the tag")


class RecommendedTagList(PageAnswer):
    object: Literal["recommended.tag.list"] = "recommended.tag.list"
    message: str = "Tags found"
    tags: list[CountedTag]
