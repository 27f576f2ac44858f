"""Events brought to budapp as the sidecar brings them: so many at a time, each again and again until it is taken."""

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx
from redis.asyncio import Redis

from budapp.commons.config import Settings

SLOTS = 10
"""How many the sidecar's broker component delivers at a time."""
_AGAIN_SECONDS = 10


class Delivery:
    """Brings what is published to the application's topic, and what is put into `events`."""

    def __init__(self, url: str, settings: Settings) -> None:
        token = settings.app_api_token.get_secret_value()
        headers = {"dapr-api-token": token, "content-type": "application/cloudevents+json"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
        self._redis = Redis.from_url(f"{settings.tensorzero_redis_url.get_secret_value().rpartition('/')[0]}/0")
        self._topic = settings.app_topic
        self.events: asyncio.Queue[bytes] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        """Begin to deliver."""
        slots = [asyncio.create_task(self._deliver()) for _ in range(SLOTS)]
        self._tasks = [asyncio.create_task(self._read()), *slots]
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop, and leave nothing in the broker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.delete(self._topic)
        await self._redis.aclose()
        await self._http.aclose()

    async def _read(self) -> None:
        position = "0"
        while True:
            found: Any = await self._redis.xread({self._topic: position}, block=500)
            for entry, fields in (one for _, entries in found for one in entries):
                position = entry
                await self.events.put(fields[b"data"])

    async def _deliver(self) -> None:
        event = await self.events.get()
        while True:
            if await self._is_taken(event):
                event = await self.events.get()
            else:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _is_taken(self, event: bytes) -> bool:
        try:
            return (await self._http.post("/notifications", content=event)).is_success
        except httpx.HTTPError:
            return False
