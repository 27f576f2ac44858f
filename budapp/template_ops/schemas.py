from typing import Literal
from uuid import UUID

from budapp.commons.paging import Paging
from budapp.commons.schemas import OptionalText, PageAnswer, Schema


class TemplateQuery(Paging):
    """With `search`, a text is looked for in its column, and any one found is enough; without, all must be equal."""

    name: OptionalText = None
    description: OptionalText = None
    template_type: OptionalText = None


class TemplateView(Schema):
    """What a kind of use asks of a deployment; ranges are [least, most]."""

    id: UUID
    name: str
    description: str
    icon: str
    template_type: str
    avg_sequence_length: int | None
    avg_context_length: int | None
    per_session_tokens_per_sec: list[int] | None
    ttft: list[int] | None
    e2e_latency: list[int] | None


class TemplateList(PageAnswer):
    object: Literal["template.list"] = "template.list"
    message: str = "Templates found"
    templates: list[TemplateView]
