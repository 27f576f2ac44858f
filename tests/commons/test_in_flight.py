"""Equal calls at the same time are one call."""

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from budapp.commons.in_flight import InFlight

Call = Callable[[], Awaitable[int]]


@pytest.fixture
def calls() -> list[str]:
    """What was called, in order."""
    return []


@pytest.fixture
def slow(calls: list[str]) -> Call:
    async def call() -> int:
        calls.append("slow")
        await asyncio.sleep(0.02)
        return 7

    return call


@pytest.fixture
def failing(calls: list[str]) -> Call:
    async def call() -> int:
        calls.append("failing")
        await asyncio.sleep(0.02)
        raise LookupError("not there")

    return call


async def test_all_who_ask_meanwhile_get_the_answer_of_one_call(slow: Call, calls: list[str]) -> None:
    shared: InFlight[str, int] = InFlight()
    assert await asyncio.gather(*(shared.share("a", slow) for _ in range(50))) == [7] * 50
    assert calls == ["slow"]
    await asyncio.gather(shared.share("a", slow), shared.share("b", slow))
    assert calls == ["slow"] * 3, "an answer is not kept, and another key is another call"


async def test_a_failure_reaches_all_and_the_next_one_tries_again(failing: Call, slow: Call) -> None:
    shared: InFlight[str, int] = InFlight()
    failures = await asyncio.gather(*(shared.share("a", failing) for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [LookupError] * 3
    assert await shared.share("a", slow) == 7


async def test_one_who_leaves_does_not_take_the_answer_from_the_others(slow: Call, calls: list[str]) -> None:
    shared: InFlight[str, int] = InFlight()
    first, second = (asyncio.create_task(shared.share("a", slow)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second, calls) == (7, ["slow"])


async def test_a_failure_that_nobody_waits_for_is_not_reported(failing: Call) -> None:
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    try:
        shared: InFlight[str, int] = InFlight()
        alone = asyncio.create_task(shared.share("a", failing))
        await asyncio.sleep(0.005)
        alone.cancel()
        with suppress(asyncio.CancelledError):
            await alone
        await asyncio.sleep(0.04)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # what other tests have left is not looked for here
            gc.collect()
    finally:
        loop.set_exception_handler(before)
    assert reported == []


async def test_a_stop_cancels_what_is_under_way(slow: Call) -> None:
    shared: InFlight[str, int] = InFlight()
    waiting = asyncio.create_task(shared.share("a", slow))
    await asyncio.sleep(0)
    await shared.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting
