"""What counts as holding the event loop."""

import asyncio
import time

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.loop_watch import MOST_SECONDS, LoopWatch


async def computes(_scope: Scope, _receive: Receive, send: Send) -> None:
    until = time.thread_time() + 2 * MOST_SECONDS
    while time.thread_time() < until:
        pass
    await answer(send)


async def waits(_scope: Scope, _receive: Receive, send: Send) -> None:
    await asyncio.sleep(2 * MOST_SECONDS)
    await answer(send)


async def gives_up(_scope: Scope, _receive: Receive, send: Send) -> None:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        await answer(send)


async def answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(("app", "holds"), [(computes, True), (waits, False), (gives_up, False)])
async def test_only_a_request_that_computes_for_long_holds_the_loop(app: ASGIApp, holds: bool) -> None:
    watch = LoopWatch(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(watch), base_url="http://watch.test") as client:
        assert (await client.get("/")).status_code == 200
    assert bool(watch.held) is holds
