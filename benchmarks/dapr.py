"""`python -m benchmarks.dapr`: what the ways to the sidecar cost: plain HTTP over a pool, and Dapr's SDK.

It runs a daprd (`DAPRD`, or the one on the PATH) of its own, with components in memory, and a peer that answers all.
"""

import asyncio
import os
import shutil
import socket
import statistics
import sys
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import httpx
from dapr.aio.clients import DaprClient as SdkClient
from dapr.conf import settings as sdk_settings
from starlette.types import Receive, Scope, Send

from budapp.commons.dapr_sdk import configure_sdk

ROUNDS = 5
CALLS = 400
APP_ID = "benchmark"
BODY = '{"name": "bud-notification", "payload": {"category": "inapp", "content": {"message": "Model deployed"}}}'
CLOUD_EVENT = "application/cloudevents+json"
RESOURCES = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec: {type: pubsub.in-memory, version: v1, metadata: []}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: store}
spec: {type: state.in-memory, version: v1, metadata: []}
"""

Call = Callable[[], Awaitable[Any]]


async def peer(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request at once."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"object": "info"}'})


async def main() -> None:
    """Print calls per second and milliseconds of this process for each way, one at a time and 32 at once."""
    async with AsyncExitStack() as stack:
        port, grpc_port = await stack.enter_async_context(_sidecar())
        base_url = f"http://127.0.0.1:{port}"
        aio_http = await stack.enter_async_context(aiohttp.ClientSession(f"{base_url}/v1.0/"))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=f"{base_url}/v1.0/", trust_env=False))
        configure_sdk(base_url, None)
        grpc = await stack.enter_async_context(SdkClient(f"127.0.0.1:{grpc_port}"))
        sdk_settings.__dict__["DAPR_API_METHOD_INVOCATION_PROTOCOL"] = "http"
        sdk_http = await stack.enter_async_context(SdkClient(f"127.0.0.1:{grpc_port}"))
        print(f"{'':<18}{'way':<24}{'one at a time':>16}{'32 at once':>14}{'cpu':>12}")
        for name, ways in _cases(http, aio_http, grpc, sdk_http).items():
            await _compare(name, ways)


def _cases(
    http: httpx.AsyncClient, aio_http: aiohttp.ClientSession, grpc: SdkClient, sdk_http: SdkClient
) -> dict[str, dict[str, Call]]:
    event = {"content": BODY, "headers": {"content-type": CLOUD_EVENT}}
    state = [{"key": "key", "value": {"message": "Model deployed"}}]

    async def over_aiohttp() -> bytes:
        async with aio_http.post(f"invoke/{APP_ID}/method/x", data=BODY) as response:
            return await response.read()

    def by_sdk(sdk: SdkClient) -> Call:
        return lambda: sdk.invoke_method(APP_ID, "x", BODY, content_type="application/json", http_verb="POST")

    return {
        "publish": {
            "httpx, pooled": lambda: http.post("publish/pubsub/topic", **event),  # type: ignore[arg-type]
            "SDK": lambda: grpc.publish_event("pubsub", "topic", BODY, data_content_type=CLOUD_EVENT),
        },
        "save state": {
            "httpx, pooled": lambda: http.post("state/store", json=state),
            "SDK": lambda: grpc.save_state("store", "key", '{"message": "Model deployed"}'),
        },
        "get state": {
            "httpx, pooled": lambda: http.get("state/store/key"),
            "SDK": lambda: grpc.get_state("store", "key"),
        },
        "call a peer": {
            "httpx, pooled": lambda: http.post(f"invoke/{APP_ID}/method/x", content=BODY),
            "aiohttp, pooled": over_aiohttp,
            "SDK, its HTTP": by_sdk(sdk_http),
            "SDK, gRPC (deprecated)": by_sdk(grpc),
        },
    }


async def _compare(name: str, ways: dict[str, Call]) -> None:
    rates: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
    for number in range(ROUNDS + 1):
        for way, call in ways.items():
            alone, _ = await _measure(call, 1)
            together, cpu = await _measure(call, 32)
            if number:
                rates[way].append((alone, together, cpu))
    for way, rounds in rates.items():
        alone, together, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:<18}{way:<24}{alone:>14.0f}/s{together:>12.0f}/s{cpu * 1000:>9.2f} ms")


async def _measure(call: Call, at_once: int) -> tuple[float, float]:
    """Return calls per second, and seconds of this process' own time for one."""

    async def work() -> None:
        for _ in range(CALLS // at_once):
            await call()

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    calls = CALLS // at_once * at_once
    return calls / (time.perf_counter() - started), (time.process_time() - cpu) / calls


@asynccontextmanager
async def _sidecar() -> AsyncIterator[tuple[int, int]]:
    """Run a peer and its sidecar; yield the ports of its HTTP and gRPC interfaces."""
    daprd = os.environ.get("DAPRD") or shutil.which("daprd")
    if daprd is None:
        sys.exit("This needs daprd: put it on the PATH, or its path into DAPRD")
    app_port, http_port, grpc_port, internal_port = (_free_port() for _ in range(4))
    with TemporaryDirectory() as folder:
        (Path(folder) / "resources.yaml").write_text(RESOURCES)
        serve = ("-m", "uvicorn", "benchmarks.dapr:peer", "--port", str(app_port), "--lifespan", "off")
        flags = {
            "app-id": APP_ID,
            "app-port": app_port,
            "dapr-http-port": http_port,
            "dapr-grpc-port": grpc_port,
            "dapr-internal-grpc-port": internal_port,
            "enable-metrics": "false",
            "resources-path": folder,
            "dapr-listen-addresses": "127.0.0.1",
            "log-level": "error",
        }
        processes = [
            await asyncio.create_subprocess_exec(sys.executable, *serve, "--log-level", "error"),
            await asyncio.create_subprocess_exec(daprd, *(f"--{name}={value}" for name, value in flags.items())),
        ]
        try:
            await _until_healthy(f"http://127.0.0.1:{http_port}/v1.0/healthz")
            yield http_port, grpc_port
        finally:
            for process in processes:
                process.kill()
                await process.wait()


async def _until_healthy(url: str) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                if (await http.get(url)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    asyncio.run(main())
