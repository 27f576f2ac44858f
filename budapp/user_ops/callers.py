"""The callers that a replica remembers, and how it forgets them.

What PostgreSQL knows of a caller is kept for `CALLER_CACHE_SECONDS` (at most 5), so a disabled user, an ended session
or a changed right shows within that time on every replica, whatever else fails. A message over Valkey makes it
immediate.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from budapp.commons.access import Caller
from budapp.commons.background import BackgroundTasks
from budapp.commons.config import Settings
from budapp.commons.database import WriteSession, after_commit
from budapp.commons.domain import provided
from budapp.commons.outages import VALKEY, outages

_USERS = "budapp:callers"
_TENANTS = "budapp:callers:tenants"
_MAX_ENTRIES = 20_000
_LONGEST_LOOKUP_SECONDS = 60
_SILENCE_SECONDS = 5
_ANSWER_SECONDS = 2


@dataclass(slots=True)
class _Entry:
    caller: Caller
    token_expires_at: float
    fresh_until: float


class Callers:
    """The callers that this process knows, by access token; other replicas are told whom to forget."""

    def __init__(self, valkey: Redis, settings: Settings) -> None:
        self._valkey = valkey
        self._settings = settings
        self._by_token: dict[str, _Entry] = {}
        self._tokens_of: dict[UUID, set[str]] = {}
        self._forgotten_at: dict[UUID, float] = {}
        self._tasks = BackgroundTasks()
        self._all_forgotten_at = 0.0
        self.listeners: list[Callable[[UUID | None], None]] = []
        """Called with each user or tenant that is forgotten, and with None where everyone is."""

    def get(self, token: str) -> Caller | None:
        """Return the caller if known and fresh."""
        entry = self._by_token.get(token)
        if entry is None or entry.fresh_until < time.monotonic() or entry.token_expires_at < time.time():
            return None
        return entry.caller

    def put(self, token: str, caller: Caller, asked_at: float) -> None:
        """Remember the caller of the token, as PostgreSQL was asked at that moment of the monotonic clock.

        Not so where the user, their tenant or everyone has been forgotten since: the answer may be from before the
        change.
        """
        forgotten = (self._forgotten_at.get(who, 0.0) for who in (caller.user_id, caller.tenant_id))
        if asked_at <= max(*forgotten, self._all_forgotten_at):
            return
        if len(self._by_token) >= _MAX_ENTRIES:
            self._clear()
        entry = _Entry(caller, caller.token_expires_at.timestamp(), asked_at + self._settings.caller_cache_seconds)
        self._by_token[token] = entry
        self._tokens_of.setdefault(caller.user_id, set()).add(token)

    def forget_after_commit(self, session: WriteSession, *user_ids: UUID) -> None:
        """Forget the users everywhere once the unit of work is committed."""

        async def announce() -> None:
            await self.forget(*user_ids)

        after_commit(session, announce)

    def forget_tenant_after_commit(self, session: WriteSession, tenant_id: UUID) -> None:
        """Forget everyone of the tenant everywhere once the unit of work is committed."""

        async def announce() -> None:
            self._drop_tenant(tenant_id)
            await self._announce(_TENANTS, tenant_id)

        after_commit(session, announce)

    async def forget(self, *user_ids: UUID) -> None:
        """Forget them here at once, and elsewhere as soon as Valkey carries it; the time limit covers the rest."""
        for user_id in user_ids:
            self._drop(user_id)
        await self._announce(_USERS, *user_ids)

    async def _announce(self, channel: str, *ids: UUID) -> None:
        try:
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for changed in ids:
                    pipeline.publish(channel, str(changed))
                await pipeline.execute()
        except (RedisError, OSError) as error:
            outages.failed(VALKEY, error)

    async def start(self) -> None:
        """Begin to follow the other replicas' announcements, in the background."""
        self._tasks.run(caller_changes=self.listen)

    async def stop(self) -> None:
        """End that."""
        await self._tasks.stop()

    async def listen(self) -> None:
        """Follow the other replicas' announcements until cancelled.

        Raises:
            RedisError, OSError: the subscription is lost; begin anew.
        """
        async with self._valkey.pubsub() as channel:
            await channel.subscribe(_USERS, _TENANTS)
            while True:
                self._hear(await _next_message(channel))

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            # Whatever was announced before, also while the library was connecting anew, has not been heard.
            self.forget_all()
        elif message["type"] == "message":
            drop = self._drop_tenant if message["channel"] == _TENANTS else self._drop
            drop(UUID(message["data"]))

    def _drop(self, user_id: UUID) -> None:
        self._note_forgotten(user_id)
        self._tell(user_id)
        for token in self._tokens_of.pop(user_id, ()):
            self._by_token.pop(token, None)

    def _drop_tenant(self, tenant_id: UUID) -> None:
        self._note_forgotten(tenant_id)
        self._tell(tenant_id)
        of_tenant = {entry.caller.user_id for entry in self._by_token.values() if entry.caller.tenant_id == tenant_id}
        for user_id in of_tenant:
            self._drop(user_id)

    def _note_forgotten(self, who: UUID) -> None:
        if len(self._forgotten_at) >= _MAX_ENTRIES:
            oldest = time.monotonic() - _LONGEST_LOOKUP_SECONDS
            self._forgotten_at = {each: at for each, at in self._forgotten_at.items() if at > oldest}
        self._forgotten_at[who] = time.monotonic()

    def forget_all(self) -> None:
        """Forget everyone in this process, and what is being looked up."""
        self._all_forgotten_at = time.monotonic()
        self._clear()
        self._tell(None)

    def _tell(self, who: UUID | None) -> None:
        for listener in self.listeners:
            listener(who)

    def _clear(self) -> None:
        self._by_token.clear()
        self._tokens_of.clear()


async def _next_message(channel: PubSub) -> dict[str, Any]:
    """Return what comes next; a connection that has been silent for a while must answer a ping."""
    message: dict[str, Any] | None = await channel.get_message(timeout=_SILENCE_SECONDS)
    if message is None:
        await channel.ping()
        message = await channel.get_message(timeout=_ANSWER_SECONDS)
    if message is None:
        raise RedisTimeout("Valkey does not answer on the subscription")
    return message


CallersDep = Annotated[Callers, provided(Callers)]
