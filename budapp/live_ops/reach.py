"""What the people may read whose streams are open here: as their rights are now, not as they were at the beginning."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import Database, ReadSession
from budapp.live_ops.schemas import Audience
from budapp.project_ops.reach import Membership, holds_in_project, memberships_of_all, types_of_projects
from budapp.user_ops.services import as_callers, ended_sessions

FRESH_SECONDS = 5
"""How old what is known of somebody may be; where PostgreSQL can't be asked in time, they are told nothing."""
_AT_ONCE = 200


@dataclass(slots=True, eq=False)
class Viewer:
    """A person with open streams, as PostgreSQL knew them a moment ago.

    Attributes:
        caller: None where they are out.
        memberships: by project.
        asked_at: when PostgreSQL was asked, by the monotonic clock.
        doubted_at: when it was heard that something has changed.
    """

    user_id: UUID
    caller: Caller | None = None
    memberships: dict[UUID, Membership] = field(default_factory=dict)
    asked_at: float = 0
    doubted_at: float = 0

    def doubt(self) -> None:
        """Have them asked about anew before they are told anything more."""
        self.doubted_at = time.monotonic()

    def is_fresh(self) -> bool:
        """Tell whether what is known may still be gone by."""
        return self.asked_at > max(self.doubted_at, time.monotonic() - FRESH_SECONDS)


class Projects:
    """Of which type the projects are that events are about; None where they are deleted."""

    def __init__(self) -> None:
        self._types: dict[UUID, str | None] = {}
        self._asked_at = 0.0

    def missing(self, audiences: Iterable[Audience]) -> set[UUID]:
        """Return the projects that must be asked about."""
        if self._asked_at <= time.monotonic() - FRESH_SECONDS:
            self._types.clear()
        named = {audience.project for audience in audiences if audience.project is not None}
        return named - self._types.keys()

    def type_of(self, project_id: UUID) -> str | None:
        """Return the type of a project that has been asked about."""
        return self._types.get(project_id)

    async def ask(self, session: ReadSession, ids: Collection[UUID]) -> None:
        """Learn of which type they are."""
        if not self._types:
            self._asked_at = time.monotonic()
        found = await types_of_projects(session, ids)
        self._types.update({project_id: found.get(project_id) for project_id in ids})


class Reach:
    """Decides who may read what."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._projects = Projects()

    async def prepare(self, viewers: Iterable[Viewer], audiences: Iterable[Audience]) -> None:
        """Learn what must be known to decide about these.

        Raises:
            DBAPIError, PoolTimeout, OSError: PostgreSQL can't be asked.
        """
        stale = [viewer for viewer in viewers if not viewer.is_fresh()]
        missing = self._projects.missing(audiences)
        if stale:
            await self.refresh(stale)
        if missing:
            async with self._database.read() as session:
                await self._projects.ask(session, missing)

    async def refresh(self, viewers: Collection[Viewer]) -> None:
        """Learn anew what these may read."""
        waiting = list(viewers)
        for start in range(0, len(waiting), _AT_ONCE):
            await self._refresh({viewer.user_id: viewer for viewer in waiting[start : start + _AT_ONCE]})

    async def ended(self, session_ids: Collection[str]) -> set[str]:
        """Return which of the sessions people were signed out of."""
        async with self._database.read() as session:
            return await ended_sessions(session, session_ids)

    def may_read(self, viewer: Viewer, audience: Audience) -> bool:
        """Tell whether they may read it; `prepare` comes before."""
        caller = viewer.caller
        if caller is None or caller.status != "active":
            return False
        if audience.user is not None and audience.user != caller.user_id:
            return audience.or_scope is not None and caller.may(audience.or_scope)
        if audience.project is None:
            return audience.scope is None or caller.may(audience.scope)
        type = self._projects.type_of(audience.project)
        membership = viewer.memberships.get(audience.project)
        return type is not None and holds_in_project(caller, type, membership, audience.scope)

    async def _refresh(self, viewers: dict[UUID, Viewer]) -> None:
        asked_at = time.monotonic()
        async with self._database.read() as session:
            callers = {caller.user_id: caller for caller in await as_callers(session, viewers.keys())}
            memberships = await memberships_of_all(session, viewers.keys())
        for user_id, viewer in viewers.items():
            viewer.caller = callers.get(user_id)
            viewer.memberships = memberships.get(user_id, {})
            viewer.asked_at = asked_at
