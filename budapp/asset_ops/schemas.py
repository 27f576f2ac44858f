from typing import Literal
from uuid import UUID

from pydantic import Field

from budapp.commons.paging import Paging
from budapp.commons.schemas import OptionalText, PageAnswer, Schema


class IconQuery(Paging):
    """With `search`, a text is looked for in its column, and any one found is enough; without, all must be equal."""

    name: OptionalText = None
    category: OptionalText = None


class IconView(Schema):
    """A picture; `file_path` is where it lies under `/static/`."""

    id: UUID
    name: str
    file_path: str = Field(description="Where the picture lies under `/static/`")
    category: str


class IconList(PageAnswer):
    object: Literal["icon.list"] = "icon.list"
    message: str = "Icons found"
    icons: list[IconView]
