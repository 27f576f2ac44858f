"""Connections that are lost under uvloop, on which budapp runs: an outage like any other, not an error of ours."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest
import uvloop
from pydantic import SecretStr

from budapp.commons.config import Settings
from budapp.integrations.http_transport import Transport
from budapp.integrations.valkey import connect_valkey, valkey_up
from tests.system.faults.proxy import FAULTS, Fault, Proxy


async def under_uvloop(work: Callable[[], Awaitable[None]]) -> None:
    """Run the work on a loop of its own."""

    async def run() -> None:
        await work()

    def in_thread() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())

    await asyncio.to_thread(in_thread)


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_pooled_connection_to_valkey_stays_broken(settings: Settings, fault: Fault) -> None:
    url = settings.tensorzero_redis_url.get_secret_value()
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    target = (parts.hostname, parts.port)

    async def work() -> None:
        async with Proxy(*target).running() as proxy:
            there = SecretStr(url.replace(f":{target[1]}", f":{proxy.port}"))
            valkey = connect_valkey(settings.model_copy(update={"tensorzero_redis_url": there}))
            await asyncio.gather(*(valkey.ping() for _ in range(5)))
            async with proxy.failing(fault):
                await asyncio.sleep(0.1)
            assert await asyncio.gather(*(valkey.ping() for _ in range(5))) == [True] * 5
            async with proxy.failing(fault):
                assert await asyncio.gather(*(valkey_up(valkey) for _ in range(5))) == [fault == "slow"] * 5
            await valkey.aclose()

    await under_uvloop(work)


@pytest.fixture
def resetting() -> Iterator[str]:
    """The address of a server that resets each connection a moment after it is there."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            threading.Timer(0.002, connection.close).start()

    serving = threading.Thread(target=serve)
    serving.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    serving.join()


async def test_a_peer_that_resets_connections_at_once_is_a_transport_error(resetting: str) -> None:
    async def keep_busy() -> None:
        while True:
            time.sleep(0.003)  # noqa: ASYNC251 - so that the reset is there before the client looks at the connection
            await asyncio.sleep(0)

    async def work() -> None:
        busy = asyncio.create_task(keep_busy())
        async with httpx.AsyncClient(transport=Transport(), base_url=resetting) as client:
            for _ in range(5):
                answers = await asyncio.gather(*(client.get("/") for _ in range(20)), return_exceptions=True)
                assert [answer for answer in answers if not isinstance(answer, httpx.TransportError)] == []
        busy.cancel()

    await under_uvloop(work)
