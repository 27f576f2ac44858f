"""`python -m benchmarks.clusters`: what budcluster tells of 200 clusters with 100 nodes each in ten minutes.

budapp runs as in production, in one process of its own, and is told of all clusters at once, each event twice; what
came of it is checked in the database. The stack must be up.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from uuid_utils.compat import uuid7

from benchmarks.ground import dsn, in_process_settings, prepared
from benchmarks.servers import budapp_running, free_port
from budapp.commons.config import Settings

CLUSTERS, NODES = 200, 100
CONNECTIONS = 16
PERIOD_SECONDS = 600
SHARE_OF_PERIOD = 0.1
"""What part of the period all events may take."""

_CLUSTER = """
insert into cluster (id, tenant_id, created_by, name, icon, cluster_type, cluster_id, status, cpu_count, gpu_count,
                     hpu_count, cpu_total_workers, cpu_available_workers, gpu_total_workers, gpu_available_workers,
                     hpu_total_workers, hpu_available_workers, total_nodes, available_nodes, created_at, modified_at)
values ($1, $2, $3, $4, 'i', 'ON_PREM', $5, 'not_available', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, now(), now())
"""


async def main() -> None:
    """Print how long it takes, and what the database says."""
    settings = in_process_settings().model_copy(update={"app_port": free_port()})
    async with prepared(settings, (1,)):
        connection = await asyncpg.connect(dsn(settings))
        clusters = await _clusters(connection)
        with tempfile.TemporaryDirectory() as folder, budapp_running(settings, Path(folder)):
            for number in range(3):
                seconds, milliseconds = await _tell(settings, [_event(one, number) for one in clusters])
                _report(seconds, milliseconds)
                holds = await _check(connection) and seconds <= SHARE_OF_PERIOD * PERIOD_SECONDS
        await connection.close()
    if not holds:
        sys.exit("An event was lost, or they take too much of the period")


async def _clusters(connection: asyncpg.Connection) -> list[UUID]:
    tenant_id: UUID = await connection.fetchval("select id from tenant")
    user_id: UUID = await connection.fetchval('select id from "user" limit 1')
    found = [uuid4() for _ in range(CLUSTERS)]
    for number, bud_id in enumerate(found):
        await connection.execute(_CLUSTER, uuid7(), tenant_id, user_id, f"cluster {number}", bud_id)
    await connection.execute("vacuum (analyze)")
    return found


def _event(bud_cluster_id: UUID, number: int) -> bytes:
    devices = [{"type": "cpu", "available_count": 1 + number, "cores": 64}, {"type": "cuda", "available_count": 8}]
    nodes = [{"id": str(uuid4()), "name": f"node-{n}", "status": True, "devices": devices} for n in range(NODES)]
    result = {"cluster_id": str(bud_cluster_id), "status": "available", "node_info": {"nodes": nodes}}
    content = {"title": "Cluster status updated", "message": "", "status": "COMPLETED", "result": result}
    payload: dict[str, Any] = {"category": "internal", "type": "cluster-status-update", "event": "results"}
    payload |= {"workflow_id": "", "source": "budcluster", "content": content}
    body = {"id": str(uuid7()), "source": "budcluster", "name": "bud-internal", "payload": payload}
    return json.dumps({**body, "time": datetime.now(UTC).isoformat()}).encode()


async def _tell(settings: Settings, events: list[bytes]) -> tuple[float, list[float]]:
    """Deliver each event twice, as fast as they are answered."""
    milliseconds: list[float] = []
    waiting = iter([event for event in events for _ in range(2)])
    headers = {"dapr-api-token": settings.app_api_token.get_secret_value()}
    started = time.perf_counter()

    async def work(http: httpx.AsyncClient) -> None:
        for body in waiting:
            began = time.perf_counter()
            (await http.post("/notifications", content=body)).raise_for_status()
            milliseconds.append((time.perf_counter() - began) * 1000)

    address = f"http://127.0.0.1:{settings.app_port}"
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=60) as http:
        await asyncio.gather(*(work(http) for _ in range(CONNECTIONS)))
    return time.perf_counter() - started, milliseconds


def _report(seconds: float, milliseconds: list[float]) -> None:
    found = sorted(milliseconds)
    p50, p99 = statistics.median(found), found[int(len(found) * 0.99)]
    share = 100 * seconds / PERIOD_SECONDS
    times = f"{seconds:.1f} s, {share:.1f} % of a period, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    print(f"{len(found)} events of {NODES} nodes: {times}")


async def _check(connection: asyncpg.Connection) -> bool:
    wanted = f"status = 'available' and total_nodes = {NODES} and gpu_total_workers = {8 * NODES}"
    right = await connection.fetchval(f"select count(*) from cluster where {wanted}")
    print(f"    clusters with their status and counts: {right} of {CLUSTERS}")
    return bool(right == CLUSTERS)


if __name__ == "__main__":
    asyncio.run(main())
