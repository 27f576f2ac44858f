"""What runs models. The domain above registers how it is counted, so that this one need not know it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from budapp.commons.database import ReadSession

_counts: list[Callable[[Any], ColumnElement[int]]] = []


def register_endpoints(count: Callable[[Any], ColumnElement[int]]) -> None:
    """Make known how a model's deployments are counted, from the column with its id; called once, at the start."""
    _counts[:] = [count]


def endpoint_count(model_id: Any) -> Any:
    """Return the expression that counts a model's deployments, labelled `endpoints_count`.

    Raises:
        IndexError: nobody has registered it.
    """
    return _counts[0](model_id).label("endpoints_count")


async def is_deployed(session: ReadSession, model_id: UUID) -> bool:
    """Tell whether the model has deployments."""
    return bool(await session.scalar(select(_counts[0](model_id))))
