"""Shapes that the answers of every domain share."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    PlainSerializer,
    StringConstraints,
    computed_field,
)

from budapp.commons.crud import Page
from budapp.commons.texts import composed


class Schema(BaseModel):
    """Anything that goes over the wire; a row can be given in place of a mapping."""

    model_config = ConfigDict(from_attributes=True)


class Answer(Schema):
    """The envelope of every success."""

    object: str = "info"
    success: Literal[True] = True
    message: str = ""


class PageAnswer(Answer):
    """The envelope of a list; the rows stand under their plural name beside these members."""

    page: int
    limit: int
    total_record: int
    next_cursor: str | None = None

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return the answer with the page's rows in its one field that is a list."""
        [rows] = (name for name, field in cls.model_fields.items() if get_origin(field.annotation) is list)
        return cls.model_validate({rows: [dict(row._mapping) for row in page.rows], **page.envelope()})

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total_pages(self) -> int:
        """At least 1, also for an empty list."""
        return max(1, -(-self.total_record // self.limit)) if self.limit else 1


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(composed)]
Email = Annotated[EmailStr, AfterValidator(str.lower), StringConstraints(max_length=100)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]


Money = Annotated[Decimal, PlainSerializer(float, return_type=float)]
"""An amount: exact where it is stored and reckoned with, a number on the wire."""


def blank_to_none(value: Any) -> Any:
    """Take a text of nothing but spaces for none at all."""
    return None if isinstance(value, str) and not value.strip() else value


def refuse_unknown(names: Sequence[str], known: Collection[str]) -> None:
    """Raise `ValueError` where a name is not known; it says which one by its place, and never quotes it."""
    unknown = [str(number) for number, name in enumerate(names, 1) if name not in known]
    if unknown:
        raise ValueError(f"number {', '.join(unknown)} in the list is none of {', '.join(known)}")


def is_web_address(value: str) -> bool:
    """Tell whether the value is an absolute http or https address."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _web_address(value: str) -> str:
    if not is_web_address(value):
        raise ValueError("must be a web address, such as https://example.com")
    return value


WebAddress = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_web_address)]

OptionalText = Annotated[str | None, BeforeValidator(blank_to_none)]
