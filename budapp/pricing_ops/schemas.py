from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints

from budapp.commons.schemas import Answer, PageAnswer, Schema

MAX_TOKENS = 1_000_000_000


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


Cost = Annotated[Decimal, Field(ge=0, lt=10_000, max_digits=10, decimal_places=6)]
ExactCost = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]
"""An amount, exact on the wire too: a text such as `0.25`."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,3}$"), AfterValidator(str.upper)]


class PriceInput(Schema):
    """What `per_tokens` tokens are to cost, going in and coming out: numbers, or texts such as `0.25`."""

    input_cost: Cost
    output_cost: Cost
    currency: Currency = "USD"
    per_tokens: int = Field(default=1000, gt=0, le=MAX_TOKENS)


class PriceView(Schema):
    """What `per_tokens` tokens cost, from `created_at` on; the costs are exact decimals, as texts."""

    id: UUID
    endpoint_id: UUID
    input_cost: ExactCost
    output_cost: ExactCost
    currency: str
    per_tokens: int
    is_current: bool
    created_by: UUID
    created_at: datetime
    modified_at: datetime


class PriceRetrieved(PriceView, Answer):
    object: Literal["endpoint.pricing"] = "endpoint.pricing"
    message: str = "Price found"

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the answer with the row."""
        return cls.model_validate(dict(PriceView.model_validate(row)))


class PriceUpdated(PriceRetrieved):
    object: Literal["endpoint.pricing.update"] = "endpoint.pricing.update"  # type: ignore[assignment]
    message: str = "Price updated"


class PriceHistory(PageAnswer):
    object: Literal["endpoint.pricing_history"] = "endpoint.pricing_history"
    message: str = "Prices found"
    pricing_history: list[PriceView]
