"""`python -m benchmarks.insight`: what budapp adds to figures and chats, and how fast measurements come in.

Analytics of 20 deployments by day over 90 days, beside what budmetrics' stand-in takes by itself; request metrics of a
benchmark, 10,000 rows at a time; a streamed chat through budapp, beside one that goes straight to the model. budapp is
a process of its own with one worker. The stack must be up.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from aiohttp import web
from sqlalchemy import select
from uuid_utils.compat import uuid7

from benchmarks.ground import in_process_settings, peer_port, prepared
from benchmarks.servers import budapp_running, free_port
from budapp.benchmark_ops.models import Benchmark
from budapp.cluster_ops.models import Cluster
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.endpoint_ops.models import Endpoint

GROUPS, DAYS, TIMES = 20, 90, 15
ROWS, CALLS = 10_000, 5
TOKENS, PAUSE_SECONDS, CHATS = 200, 0.005, 10

Json = dict[str, Any]


async def main() -> int:
    """Print the figures; 1 where a part of them can't be had."""
    settings = in_process_settings().model_copy(update={"app_port": free_port()})
    async with prepared(settings, (1,)) as tenants, _model() as model_url:
        tenant = tenants[1]
        database = Database(settings)
        ground = await _fill(database, tenant.ids["project_id"], tenant.ids["model_id"], model_url)
        await database.dispose()
        headers = {"Authorization": f"Bearer {tenant.token}"}
        with tempfile.TemporaryDirectory() as folder, budapp_running(settings, Path(folder)) as server:
            async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=120) as http:
                await _analytics(http, tenant.ids["project_id"], ground)
                await _ingestion(http, settings, ground)
                await _chat(http, ground.chat, model_url)
    return 0


class Ground:
    """Rows that the measurements need."""

    def __init__(self, endpoints: list[Endpoint], benchmark_id: UUID, chat: str) -> None:
        self.endpoints, self.benchmark_id, self.chat = endpoints, benchmark_id, chat


async def _fill(database: Database, project_id: UUID, model_id: UUID, model_url: str) -> Ground:
    async with database.write() as session:
        one = (await session.scalars(select(Endpoint).where(Endpoint.project_id == project_id).limit(1))).one()
        owned = {"tenant_id": one.tenant_id, "created_by": one.created_by}
        cluster = Cluster(id=uuid7(), name="bench", icon="i", status="available", **owned)
        session.add(cluster)
        await session.flush()
        common = {"project_id": project_id, "model_id": model_id, "cluster_id": cluster.id, "url": model_url, **owned}
        common |= {"namespace": "bench", "status": "running", "supported_endpoints": ["/v1/chat/completions"]}
        endpoints = [Endpoint(id=uuid7(), name=f"counted-{number}", **common) for number in range(GROUPS)]
        texts = {"name": "bench", "description": "", "eval_with": "configuration", "concurrency": 1}
        benchmark = Benchmark(id=uuid7(), model_id=model_id, cluster_id=cluster.id, **texts, **owned)
        session.add_all([*endpoints, benchmark])
    return Ground(endpoints, benchmark.id, endpoints[0].name)


async def _analytics(http: httpx.AsyncClient, project_id: UUID, ground: Ground) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{peer_port('budmetrics')}", timeout=120) as peer:
        sources = [
            {"endpoint_id": str(one.id), "model_id": str(one.model_id), "project_id": str(project_id), "per_hour": 0.1}
            for one in ground.endpoints
        ]
        (await peer.post("/control/traffic", json=sources)).raise_for_status()
        try:
            alone = await _median(lambda number: _ask(peer, "/observability/analytics", project_id, number))
            whole = await _median(lambda number: _ask(http, "/metrics/analytics", project_id, number))
        finally:
            await peer.delete("/control/traffic", params={"project_id": str(project_id)})
    print(f"analytics, {GROUPS} deployments x {DAYS} days: p50 {whole * 1000:.0f} ms, of which budmetrics' stand-in")
    print(f"  {alone * 1000:.0f} ms; budapp's part with both sidecars {(whole - alone) * 1000:.0f} ms")


async def _ask(http: httpx.AsyncClient, path: str, project_id: UUID, number: int) -> None:
    """Ask for something else each time, so that no answer is one that was kept."""
    end = datetime(2026, 11, 1, tzinfo=UTC)
    body: Json = {
        "from_date": (end - timedelta(days=DAYS)).isoformat(),
        "to_date": (end - timedelta(seconds=number)).isoformat(),
        "frequency_unit": "day",
        "metrics": ["request_count", "input_token", "output_token", "latency"],
        "group_by": ["endpoint"],
        "filters": {"project": [str(project_id)]},
    }
    answer = await http.post(path, json=body)
    answer.raise_for_status()
    days = [period for period in answer.json()["items"] if period["items"]]
    if len(days) < DAYS or len(days[0]["items"]) < GROUPS:
        sys.exit(f"{path}: {len(days)} days, {len(days[0]['items'])} groups")


async def _ingestion(http: httpx.AsyncClient, settings: Settings, ground: Ground) -> None:
    times = {"prompt_len": 900, "output_len": 120, "ttft": 0.2, "tpot": 0.01, "latency": 1.4, "itl": [0.01] * 20}
    body = json.dumps({"metrics": [{"benchmark_id": str(ground.benchmark_id), **times}] * ROWS})
    token = settings.app_api_token.get_secret_value() if settings.app_api_token else ""
    headers = {"dapr-api-token": token, "Content-Type": "application/json"}

    async def send(_number: int) -> None:
        (await http.post("/benchmark/request-metrics", content=body, headers=headers)).raise_for_status()

    seconds = await _median(send, CALLS)
    print(f"request metrics: {ROWS} rows of {len(body) / ROWS:.0f} bytes in {seconds:.2f} s, {ROWS / seconds:,.0f}/s")


async def _chat(http: httpx.AsyncClient, name: str, model_url: str) -> None:
    body = {"model": name, "messages": [{"role": "user", "content": "Go"}], "stream": True}
    async with httpx.AsyncClient(timeout=120) as model:
        straight = [await _late(model, f"{model_url}/v1/chat/completions", body) for _ in range(CHATS)]
    through = [await _late(http, "/playground/chat/completions", body) for _ in range(CHATS)]
    for what, found in (("straight to the model", straight), ("through budapp", through)):
        late = sorted(one for chat in found for one in chat)
        p50, p99 = statistics.median(late) * 1000, late[len(late) * 99 // 100] * 1000
        print(f"chat of {TOKENS} tokens, {what}: each token late by p50 {p50:.2f} ms, p99 {p99:.2f} ms")


async def _late(http: httpx.AsyncClient, url: str, body: Json) -> list[float]:
    """Return by how many seconds after it was sent each token came."""
    late = []
    async with http.stream("POST", url, json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if '"sent":' in line:
                late.append(time.time() - float(line.partition('"sent": ')[2].partition("}")[0]))
    if len(late) != TOKENS:
        sys.exit(f"{url}: {len(late)} tokens")
    return late


@asynccontextmanager
async def _model() -> AsyncIterator[str]:
    """Serve a model whose tokens say when they were sent."""
    application = web.Application()
    application.router.add_post("/v1/chat/completions", _answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _answer(request: web.Request) -> web.StreamResponse:
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(TOKENS):
        await asyncio.sleep(PAUSE_SECONDS)
        chunk = {"choices": [{"delta": {"content": "word "}, "sent": time.time()}]}
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


async def _median(work: Callable[[int], Awaitable[None]], times: int = TIMES) -> float:
    """Return the median of the seconds that the work takes; the first time does not count."""
    found = []
    for number in range(times + 1):
        started = time.perf_counter()
        await work(number)
        found.append(time.perf_counter() - started)
    return statistics.median(found[1:])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
