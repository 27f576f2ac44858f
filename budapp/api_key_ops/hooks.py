"""What other domains know of what API keys open."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Row

from budapp.commons.database import ReadSession
from budapp.commons.hooks import Hook
from budapp.project_ops.models import Project

deployed = Hook[Callable[[ReadSession, Project], Awaitable[Sequence[Row[Any]]]]](
    "deployments that keys of a project may be limited to", single=True
)
"""Returns `id` and `model_id` of the project's deployments, and for customers of those that are published."""
