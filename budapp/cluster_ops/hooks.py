"""What other domains have on clusters."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.commons.database import WriteSession
from budapp.commons.hooks import Hook

usage = Hook[Callable[[Any], Mapping[str, ColumnElement[int]]]]("use of a cluster", single=True)
"""From the column with a cluster's id to `endpoint_count`, `running_endpoints_count`, `total_workers_count` and
`active_workers_count`."""

before_deletion = Hook[Callable[[WriteSession, UUID], Awaitable[None]]]("before a cluster is deleted")
"""Called with the cluster's id while its row is locked; raises `BadRequest` where it must not be deleted."""

after_deletion = Hook[Callable[[WriteSession, UUID], Awaitable[None]]]("after a cluster was deleted")
"""Called with the cluster's id in the unit of work in which it becomes `deleted`."""
