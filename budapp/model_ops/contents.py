"""What runs models, and what could. The domains above register themselves, so that this one need not know them."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from budapp.commons.database import ReadSession
from budapp.model_ops.schemas import RecommendationView

_counts: list[Callable[[Any], ColumnElement[int]]] = []


Recommendations = Callable[[ReadSession, Collection[UUID]], Awaitable[dict[UUID, RecommendationView]]]

_recommendations: list[Recommendations] = []


def register_recommendations(find: Recommendations) -> None:
    """Make known how the clusters that suit models best are found, by the models' ids; for the start."""
    _recommendations[:] = [find]


async def recommendations(session: ReadSession, model_ids: Collection[UUID]) -> dict[UUID, RecommendationView]:
    """Return which cluster suits each of the models best; models without one are left out."""
    return await _recommendations[0](session, model_ids) if model_ids else {}


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
