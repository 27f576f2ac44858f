"""A stream waits for something to send, and no longer."""

import asyncio
from typing import Any, cast

from budapp.live_ops.hub import Stream
from budapp.live_ops.schemas import EventQuery


def stream() -> Stream:
    nobody: Any = None
    return Stream(nobody, nobody, EventQuery(), cast("Any", 0))


async def test_what_has_come_before_the_wait_is_not_waited_for() -> None:
    one = stream()
    one.end("over")
    async with asyncio.timeout(10):
        await one.wait(60)


async def test_what_comes_during_the_wait_ends_it() -> None:
    one = stream()
    asyncio.get_running_loop().call_soon(one.end, "over")
    async with asyncio.timeout(10):
        await one.wait(60)


async def test_without_anything_the_wait_ends_in_its_time() -> None:
    one = stream()
    await one.wait(0.01)
    assert one.ended is None
