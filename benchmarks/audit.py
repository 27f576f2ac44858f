"""`python -m benchmarks.audit`: what recording and sealing cost, as a ratio within one run.

Requests are sent to the application in this process, with auditing and without, in turns; the stack must be up.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx
from fastapi import FastAPI

from benchmarks.ground import in_process_settings, prepared
from budapp.audit.hash_chain import seal
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.main import create_app

ROUNDS = 5
REQUESTS = 300
CONCURRENCY = 8

Send = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


async def main() -> None:
    """Print requests per second of both kinds, and their ratio."""
    settings = in_process_settings()
    async with prepared(settings, (200,)) as tenants:
        [tenant] = tenants.values()
        app = create_app(settings)
        headers = {"Authorization": f"Bearer {tenant.token}"}
        path = f"/projects/{tenant.ids['project_id']}"

        async def post(client: httpx.AsyncClient, number: int) -> httpx.Response:
            return await client.post("/projects/", json={"name": f"bench {time.monotonic_ns()} {number}"})

        async def patch(client: httpx.AsyncClient, number: int) -> httpx.Response:
            return await client.patch(path, json={"description": f"{time.monotonic_ns()} {number}"})

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://budapp.bench", headers=headers) as client:
            await _compare(app, client, "POST /projects/", post, CONCURRENCY)
            await _compare(app, client, "PATCH /projects/{id}", patch, 1)
        await components_of(app).close()


async def _compare(app: FastAPI, client: httpx.AsyncClient, name: str, send: Send, at_once: int) -> None:
    database = components_of(app)[Database]
    info = database._sessions.kw["info"]
    keys = info["audit_keys"]
    rates: dict[bool, list[float]] = {True: [], False: []}
    for number in range(ROUNDS * 2 + 2):
        audited = number % 2 == 0
        if audited:
            info["audit_keys"] = keys
        else:
            info.pop("audit_keys", None)
        sealing = asyncio.create_task(_keep_sealing(app)) if audited else None
        rate = await _rate(client, send, at_once)
        if sealing is not None:
            sealing.cancel()
            await asyncio.gather(sealing, return_exceptions=True)
        if number >= 2:
            rates[audited].append(rate)
    info["audit_keys"] = keys
    with_trail, without = statistics.median(rates[True]), statistics.median(rates[False])
    print(f"{name}: {with_trail:.0f}/s with the trail, {without:.0f}/s without: {with_trail / without:.2f}")


async def _keep_sealing(app: FastAPI) -> None:
    while True:
        await seal(components_of(app)[Database])
        await asyncio.sleep(0.75)


async def _rate(client: httpx.AsyncClient, send: Send, at_once: int) -> float:
    started = time.perf_counter()

    async def work(worker: int) -> None:
        for number in range(REQUESTS // at_once):
            (await send(client, worker * REQUESTS + number)).raise_for_status()

    await asyncio.gather(*(work(worker) for worker in range(at_once)))
    return REQUESTS // at_once * at_once / (time.perf_counter() - started)


if __name__ == "__main__":
    asyncio.run(main())
