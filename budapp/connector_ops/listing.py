"""Pages of what the foundry lists as a whole."""

from typing import TypeVar

from budapp.commons.paging import Paging
from budapp.integrations.peers import Json

T = TypeVar("T")


def page_of(found: list[T], query: Paging) -> list[T]:
    """Return the part of a list that a query asks for."""
    first = (query.page - 1) * query.limit
    return found[first : first + query.limit]


def envelope(query: Paging, total: int) -> Json:
    """Return what the answer of a list says beside the rows."""
    return {"page": query.page, "limit": query.limit, "total_record": total}
