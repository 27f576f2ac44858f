"""The open streams of one process, and the one reader that feeds them all."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from budapp.commons.access import Caller
from budapp.commons.background import keep_running, stop
from budapp.commons.errors import TooManyRequests, Unavailable
from budapp.commons.logging import get_logger
from budapp.commons.outages import log_failure
from budapp.live_ops.reach import Reach, Viewer
from budapp.live_ops.schemas import REACH, TICK, EntryId, Event, EventQuery
from budapp.live_ops.streams import EventStreams
from budapp.user_ops.callers import Callers

logger = get_logger(__name__)

MAX_BUFFERED = 256
"""How many events wait for a slow client; then they are dropped, and it is told to read anew."""
MAX_STREAMS_OF_USER = 200
MAX_STREAMS = 10_000
WATCH_SECONDS = 3
_OPENING_SECONDS = 60
_RETRY_SECONDS = 5
_OUTAGES = (RedisError, DBAPIError, PoolTimeout, OSError, Unavailable)

OPEN = Gauge("budapp_live_streams", "Streams of live events that are open")
SENT = Counter("budapp_live_events_sent", "Events put into the buffers of streams")
RESETS = Counter("budapp_live_resets", "Streams whose client was told to read anew", ["why"])


class Stream:
    """What waits for one client.

    Args:
        viewer: who reads.
        caller: how they were signed in when they came.
        query: what they want.
        position: what they have read, or been told to read, when they came; nothing up to there is put in.
    """

    __slots__ = ("_ids", "_types", "_waiting", "caller", "ended", "events", "lost", "position", "viewer")

    def __init__(self, viewer: Viewer, caller: Caller, query: EventQuery, position: EntryId) -> None:
        self.viewer = viewer
        self.caller = caller
        self._types = frozenset(query.type)
        self._ids = frozenset(map(str, query.object_id))
        self.position = position
        self.events: deque[Event] = deque()
        self.lost = False
        self.ended: str | None = None
        self._waiting: asyncio.Future[None] | None = None

    def wants(self, event: Event) -> bool:
        """Tell whether the client asked for such events."""
        if self._ids and event.object_id not in self._ids:
            return False
        return not self._types or event.type in self._types or event.type.partition(".")[0] in self._types

    def put(self, event: Event) -> None:
        """Have the event wait for the client; where too many do, all are dropped."""
        if event.id <= self.position or self.lost:
            return
        if len(self.events) >= MAX_BUFFERED:
            self.events.clear()
            self.lost = True
        else:
            self.events.append(event)
            SENT.inc()
        self._wake()

    def end(self, reason: str) -> None:
        """Let the client go."""
        self.ended = self.ended or reason
        self._wake()

    async def wait(self, seconds: float) -> None:
        """Wait until there is something to send, at most so long."""
        if self.events or self.lost or self.ended:
            return
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([self._waiting], timeout=max(seconds, 0))
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


@dataclass(slots=True, eq=False)
class Tenant:
    """The people of a tenant who have streams open here.

    Attributes:
        position: all entries up to it have been put into the streams.
    """

    position: EntryId
    viewers: dict[UUID, Viewer] = field(default_factory=dict)
    streams: dict[UUID, set[Stream]] = field(default_factory=dict)

    def concerned(self, event: Event) -> Iterable[Viewer]:
        """Return who may have to be told."""
        audience = event.audience
        if audience.user is None or audience.or_scope is not None:
            return self.viewers.values()
        return (viewer,) if (viewer := self.viewers.get(audience.user)) is not None else ()


class Hub:
    """All streams of the process. Nothing runs while there are none."""

    def __init__(self, streams: EventStreams, reach: Reach, callers: Callers) -> None:
        self._streams = streams
        self._reach = reach
        self._callers = callers
        self._tenants: dict[UUID, Tenant] = {}
        self._reading: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._count = 0
        callers.listeners.append(self.forget)

    @property
    def reach(self) -> Reach:
        """What decides who may read what."""
        return self._reach

    async def join(self, caller: Caller, query: EventQuery, last_id: str | None) -> tuple[Stream, EntryId | None]:
        """Open a stream; returns also after which id there is something to catch up with, up to `stream.position`.

        None for that where the client must read anew: its id is too old, or nothing is known of it.

        Raises:
            Unavailable: Valkey does not answer.
            TooManyRequests: too many streams are open.
        """
        first, last = await self._streams.open(caller.tenant_id)
        tenant = self._tenants.setdefault(caller.tenant_id, Tenant(last))
        viewer = tenant.viewers.setdefault(caller.user_id, Viewer(caller.user_id))
        own = tenant.streams.setdefault(caller.user_id, set())
        if len(own) >= MAX_STREAMS_OF_USER or self._count >= MAX_STREAMS:
            raise TooManyRequests(_RETRY_SECONDS)
        known = EntryId.parse(last_id) if last_id is not None else tenant.position
        resumable = known is not None and first <= known <= max(last, tenant.position)
        since = known if resumable else None
        stream = Stream(viewer, caller, query, max(tenant.position, since or tenant.position))
        own.add(stream)
        self._count += 1
        OPEN.set(self._count)
        self._begin()
        return stream, since

    def leave(self, stream: Stream) -> None:
        """Close the stream; does nothing where it is closed already."""
        tenant_id, user_id = stream.caller.tenant_id, stream.caller.user_id
        tenant = self._tenants.get(tenant_id)
        own = tenant.streams.get(user_id, set()) if tenant is not None else set()
        if tenant is None or stream not in own:
            return
        own.discard(stream)
        self._count -= 1
        OPEN.set(self._count)
        if not own:
            del tenant.streams[user_id], tenant.viewers[user_id]
        if not tenant.viewers:
            del self._tenants[tenant_id]

    def position(self, stream: Stream) -> EntryId:
        """Return up to where the client has been told everything, once nothing waits for it."""
        tenant = self._tenants.get(stream.caller.tenant_id)
        return max(tenant.position, stream.position) if tenant is not None else stream.position

    async def catch_up(self, stream: Stream, after: EntryId, until: EntryId) -> tuple[list[Event], EntryId]:
        """Return what the client may read of the next events after the one id, and the id to go on from.

        Raises:
            Unavailable, RedisError, DBAPIError, OSError: a store does not answer.
        """
        found = await self._streams.between(stream.caller.tenant_id, after, until)
        await self._reach.prepare([stream.viewer], [event.audience for event in found])
        wanted = [event for event in found if self._is_for(stream, event)]
        return wanted, found[-1].id if found else until

    def forget(self, who: UUID | None) -> None:
        """Ask anew what the user, or everyone of the tenant, or everyone may read, and whether they are signed in."""
        for tenant_id, tenant in self._tenants.items():
            for viewer in tenant.viewers.values():
                if who is None or who in (viewer.user_id, tenant_id):
                    viewer.doubt()
        self._changed.set()

    async def stop(self) -> None:
        """End all streams, and stop reading."""
        await stop(*(task for task in (self._reading, self._watching) if task is not None))
        self._end_all("stopping")

    def _begin(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = keep_running("live_reader", self._read)
        if self._watching is None or self._watching.done():
            self._watching = keep_running("live_watch", self._watch)

    def _of_all(self) -> Iterator[Stream]:
        return (stream for tenant in self._tenants.values() for own in tenant.streams.values() for stream in own)

    def _end_all(self, reason: str) -> None:
        """End all streams; their clients come again with the last id that they know, and miss nothing."""
        for stream in list(self._of_all()):
            stream.end(reason)
            self.leave(stream)

    async def _read(self) -> None:
        """Feed the streams until there are none left; where a store does not answer, all end."""
        try:
            opened_at = asyncio.get_running_loop().time()
            while self._tenants:
                found = await self._streams.read({each: tenant.position for each, tenant in self._tenants.items()})
                for tenant_id, events in found.items():
                    if (tenant := self._tenants.get(tenant_id)) is not None:
                        await self._tell(tenant, events)
                if asyncio.get_running_loop().time() - opened_at > _OPENING_SECONDS:
                    opened_at = asyncio.get_running_loop().time()
                    for tenant_id in list(self._tenants):
                        await self._streams.open(tenant_id)
        except _OUTAGES as error:
            log_failure(logger, "live_reader_broke_off", error)
            self._end_all("unavailable")

    async def _tell(self, tenant: Tenant, events: Collection[Event]) -> None:
        for event in events:
            if event.type == REACH and (viewer := tenant.viewers.get(event.audience.user or UUID(int=0))) is not None:
                viewer.doubt()
        concerned = {viewer.user_id: viewer for event in events for viewer in tenant.concerned(event)}
        await self._reach.prepare(concerned.values(), [event.audience for event in events])
        while joined := {viewer for event in events for viewer in tenant.concerned(event) if not viewer.asked_at}:
            await self._reach.prepare(joined, ())
        for event in events:
            for viewer in list(tenant.concerned(event)):
                for stream in tenant.streams.get(viewer.user_id, ()):
                    if self._is_for(stream, event):
                        stream.put(event)
            tenant.position = event.id

    def _is_for(self, stream: Stream, event: Event) -> bool:
        if event.type in (REACH, TICK) or not stream.wants(event):
            return False
        return self._reach.may_read(stream.viewer, event.audience)

    async def _watch(self) -> None:
        """End the streams of those who are out, until there are none left; where that can't be known, all end."""
        try:
            while self._tenants:
                self._changed.clear()
                await self._look()
                await self._pause()
        except _OUTAGES as error:
            log_failure(logger, "live_watch_broke_off", error)
            self._end_all("unavailable")

    async def _look(self) -> None:
        ended = await self._reach.ended({stream.caller.session_id for stream in self._of_all()})
        await self._reach.refresh([viewer for tenant in self._tenants.values() for viewer in tenant.viewers.values()])
        for stream in list(self._of_all()):
            known = stream.viewer.caller
            if stream.caller.session_id in ended or (stream.viewer.asked_at and known is None):
                stream.end("session_ended")

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            pass
