"""Answers that must not tell by their time what they do not say."""

import asyncio
import time


async def until_after(started: float, seconds: float) -> None:
    """Wait until so many seconds have passed since `started`, a moment of the monotonic clock."""
    await asyncio.sleep(seconds - (time.monotonic() - started))
