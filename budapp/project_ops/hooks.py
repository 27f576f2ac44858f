"""What other domains have in projects."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.commons.database import WriteSession
from budapp.commons.hooks import Hook


@dataclass(frozen=True, slots=True)
class Removal:
    """What is about to be removed: some people from a project, or the project itself where `user_ids` is None."""

    project_id: UUID
    user_ids: Collection[UUID] | None
    remove_credentials: bool


before_removal = Hook[Callable[[WriteSession, Removal], Awaitable[None]]]("before a removal from a project")
"""Called while the project's row is locked; raises `BadRequest` where the removal must not be."""

count = Hook[Callable[[Any], ColumnElement[int]]]("count in a project")
"""Registered under a plural, such as `endpoints`: from the column with a project's id to the number of them in it."""
