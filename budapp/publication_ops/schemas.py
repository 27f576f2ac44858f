from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, model_validator
from pydantic_core import to_json

from budapp.commons.crud import Page
from budapp.commons.schemas import Answer, PageAnswer, Schema
from budapp.commons.storable import cleaned
from budapp.endpoint_ops.models import Endpoint
from budapp.pricing_ops.schemas import PriceInput, PriceView
from budapp.publication_ops.models import PublicationAction

MAX_METADATA_BYTES = 10_000


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    if len(to_json(value, inf_nan_mode="constants")) > MAX_METADATA_BYTES:
        raise ValueError(f"must not be longer than {MAX_METADATA_BYTES} bytes")
    _, problem = cleaned(value)
    if problem is not None:
        raise ValueError(f"holds what can't be stored: {problem}")
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_storable)]
"""What a client notes of its own."""


class PublicationChange(Schema):
    """Whether the endpoint is to be in the catalog; publishing it takes its price."""

    action: PublicationAction
    pricing: PriceInput | None = None
    action_metadata: Metadata | None = None

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if self.action == PublicationAction.PUBLISH and self.pricing is None:
            raise ValueError("pricing is required to publish an endpoint")
        return self


class Publication(Answer):
    """Whether the endpoint is in the catalog, since when, who has said so last, and what its tokens cost."""

    object: Literal["endpoint.publish"] = "endpoint.publish"
    endpoint_id: UUID
    is_published: bool
    published_date: datetime | None
    published_by: UUID | None
    pricing: PriceView | None

    @classmethod
    def of(cls, endpoint: Endpoint, price: Any) -> Self:
        """Return the answer for an endpoint and its current price."""
        return cls(
            message="Endpoint published" if endpoint.is_published else "Endpoint withdrawn from the catalog",
            endpoint_id=endpoint.id,
            is_published=endpoint.is_published,
            published_date=endpoint.published_date,
            published_by=endpoint.published_by,
            pricing=PriceView.model_validate(price) if price is not None else None,
        )


class PublicationState(Schema):
    """What an endpoint was, before or after a publication."""

    is_published: bool
    published_date: datetime | None = None
    published_by: UUID | None = None


class Performer(Schema):
    id: UUID
    name: str
    email: str


class PublicationEntry(Schema):
    """A publication, or a withdrawal: who did it, when, and what the endpoint was before and after."""

    id: UUID
    deployment_id: UUID
    action: PublicationAction
    performed_by: UUID
    performed_at: datetime
    performed_by_user: Performer
    action_metadata: dict[str, Any] | None
    previous_state: PublicationState
    new_state: PublicationState
    created_at: datetime
    modified_at: datetime

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return it of a row of `PublicationCrud.history`."""
        user = Performer(id=row.performed_by, name=row.user_name, email=row.user_email)
        return cls.model_validate({**row._mapping, "performed_by_user": user})


class PublicationList(PageAnswer):
    object: Literal["endpoint.publication_history"] = "endpoint.publication_history"
    message: str = "Publications found"
    history: list[PublicationEntry]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return the answer with the page's rows."""
        return cls(history=[PublicationEntry.of(row) for row in page.rows], **page.envelope())
