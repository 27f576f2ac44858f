"""What other domains know of models."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.hooks import Hook
from budapp.model_ops.schemas import RecommendationView

endpoint_count = Hook[Callable[[Any], ColumnElement[int]]]("count the endpoints of a model", single=True)
"""From the column with a model's id to the number of its endpoints."""

recommendations = Hook[Callable[[ReadSession, Collection[UUID]], Awaitable[dict[UUID, RecommendationView]]]](
    "recommended clusters of models", single=True
)
"""The cluster that suits each of the models best; models without one are left out."""

eval_result = Hook[Callable[[ReadSession, Caller, UUID], Awaitable[dict[str, Any] | None]]](
    "what evaluations have found of a model", single=True
)
"""Scores with their confidence intervals, of what the caller may see; None where there are none."""
