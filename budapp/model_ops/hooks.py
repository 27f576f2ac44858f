"""What other domains know of models."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.hooks import Hook

endpoint_count = Hook[Callable[[Any], ColumnElement[int]]]("count the endpoints of a model", single=True)
"""From the column with a model's id to the number of its endpoints."""

recommendation = Hook[Callable[[Any], ColumnElement[Any]]]("the cluster that suits a model best", single=True)
"""From the column with a model's id to one with a `RecommendationView` as JSON; null where there is none."""

eval_result = Hook[Callable[[ReadSession, Caller, UUID], Awaitable[dict[str, Any] | None]]](
    "what evaluations have found of a model", single=True
)
"""Scores with their confidence intervals, of what the caller may see; None where there are none."""
