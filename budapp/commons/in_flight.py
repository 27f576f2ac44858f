"""Equal calls that are wanted at the same time are made once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class InFlight(Generic[Key, Value]):
    """The calls that are under way now, by what they ask for."""

    def __init__(self) -> None:
        self._calls: dict[Key, asyncio.Task[Value]] = {}

    async def share(self, key: Key, call: Callable[[], Awaitable[Value]]) -> Value:
        """Return what the call returns, or raise what it raises; it is made unless one with the key is under way.

        Whoever stops waiting does not stop it for the others, and a failure that nobody waits for any more is dropped.
        """
        task = self._calls.get(key)
        if task is None:
            task = self._calls[key] = asyncio.create_task(self._made(key, call))
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """Cancel the calls that are under way."""
        tasks = list(self._calls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _made(self, key: Key, call: Callable[[], Awaitable[Value]]) -> Value:
        try:
            return await call()
        finally:
            del self._calls[key]


def _retrieve(task: "asyncio.Task[Value]") -> None:
    """Have asyncio not report an error that nobody waited for."""
    if not task.cancelled():
        task.exception()
