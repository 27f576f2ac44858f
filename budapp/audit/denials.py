"""Records refused requests without letting a flood of them fill the disk.

The first refusal of a caller (or, where nobody is signed in, an address) at a route is recorded at once; what follows
within the minute is counted, and the count recorded when the minute is over. Past a number of different callers and
routes in one minute, the rest share one count. Counts that are not written yet are lost if the process is killed.
"""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.access import Caller
from budapp.commons.background import BackgroundTasks
from budapp.commons.context import Provenance, coming_from
from budapp.commons.database import Database
from budapp.commons.logging import get_logger
from budapp.commons.outages import log_failure

logger = get_logger(__name__)

WINDOW_SECONDS = 60
MAX_KINDS = 200

_Kind = tuple[UUID | None, str, str]


@dataclass(slots=True)
class _Count:
    caller: Caller | None
    address: str | None
    route: str
    since: float
    more: int = 0


class Denials:
    """The refusals of this process; `start` and `stop` with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[_Kind, _Count] = {}
        self._tasks = BackgroundTasks()

    async def note(self, request: Request, message: str) -> None:
        """Record that the request was refused, or count it; never raises on account of the database."""
        caller: Caller | None = request.scope.get("caller")
        address = request.client.host if request.client else None
        path = getattr(request.scope.get("route"), "path", "none")
        kind = (caller.user_id if caller else None, "" if caller else address or "", f"{request.method} {path}")
        count = self._counts.get(kind)
        if count is None and len(self._counts) >= MAX_KINDS:
            kind = (None, "others", "any route")
            count = self._counts.get(kind)
        if count is not None and count.since > time.monotonic() - WINDOW_SECONDS:
            count.more += 1
            return
        if count is not None:
            await self._write(count)
        self._counts[kind] = _Count(caller if kind[0] else None, address, kind[2], time.monotonic())
        await self._record(caller, kind[2], {"message": message, "path": request.url.path[:500]})

    async def flush(self, *, all: bool = False) -> None:
        """Record the counts of the minutes that are over."""
        over = time.monotonic() - WINDOW_SECONDS
        for kind in [kind for kind, count in self._counts.items() if all or count.since <= over]:
            await self._write(self._counts.pop(kind))

    async def _write(self, count: _Count) -> None:
        if count.more:
            with coming_from(Provenance("request", ip_address=count.address, scope={"caller": count.caller})):
                await self._record(count.caller, count.route, {"repeated": count.more})

    async def _record(self, caller: Caller | None, route: str, details: dict[str, object]) -> None:
        try:
            async with self._database.write() as session:
                record(
                    session,
                    Action.ACCESS_DENIED,
                    ResourceType.SERVICE,
                    resource_name=route,
                    details={"success": False, **details},
                )
        except (SQLAlchemyError, OSError) as error:
            user_id = str(caller.user_id) if caller else None
            log_failure(logger, "denial_not_recorded", error, route=route, user_id=user_id)

    async def start(self) -> None:
        """Begin to write counts, in the background."""
        self._tasks.run(denials=self._repeat)

    async def stop(self) -> None:
        """Write what is counted."""
        await self._tasks.stop()
        await self.flush(all=True)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(WINDOW_SECONDS / 4)
            await self.flush()
