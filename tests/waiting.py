"""Waiting for what happens in other processes."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60
"""Long enough for a machine that does much else, so that only what never happens fails a test."""


async def until(
    condition: Callable[[], Awaitable[object]],
    seconds: float = PATIENCE_SECONDS,
    *,
    seen: Callable[[], object] | None = None,
) -> None:
    """Wait for the condition.

    Args:
        condition: asked again and again.
        seconds: how long; given only where the time is itself what is tested.
        seen: returns what to show when the time is over.

    Raises:
        AssertionError: it did not hold in time.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - what is waited for is in other processes
                await asyncio.sleep(0.02)
    except TimeoutError:
        shown = f"; last seen: {seen()}" if seen else ""
        raise AssertionError(f"{condition.__qualname__} did not hold in {seconds} s{shown}") from None
