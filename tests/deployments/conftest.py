"""A project, a model with files, a cluster that budcluster and budsim know, and the steps of deploying there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.cast import Cast
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import create, join
from tests.waiting import until
from tests.workflows.conftest import Bench, Json, bench
from tests.workflows.test_quantization import enter_cluster
from tests.workflows.test_security_scan import added

__all__ = ["bench", "environment", "stand_in"]

PATH = "/models/deploy-workflow"
LOAD: Json = {"concurrent_requests": 10, "avg_sequence_length": 128, "avg_context_length": 1024}
CONFIG: Json = {**LOAD, "per_session_tokens_per_sec": [5, 20], "ttft": [500, 2000], "e2e_latency": [5, 30]}


@dataclass
class Ground:
    bench: Bench
    project_id: str
    model_id: str
    cluster_id: str
    budsim: StandIn
    budcluster: StandIn

    async def step(self, number: int, workflow_id: str, status: int = 200, **fields: Any) -> Json:
        return await self.bench.post(PATH, status, step_number=number, workflow_id=workflow_id, **fields)

    async def begun(self, **fields: Any) -> str:
        """Take the steps up to the load, as the browser does."""
        first = {"project_id": self.project_id, "model_id": self.model_id, "hardware_mode": "dedicated", **fields}
        answer = await self.bench.post(PATH, step_number=1, workflow_total_steps=8, **first)
        return str(answer["workflow_id"])

    async def named(self, name: str | None = None) -> str:
        """Take the steps up to the one that says the load, whose simulation begins."""
        workflow_id = await self.begun()
        await self.step(2, workflow_id, hardware_mode="dedicated")
        name = name or f"chat-{uuid4().hex[:8]}"
        await self.step(4, workflow_id, endpoint_name=name, deploy_config=CONFIG, enable_tool_calling=True)
        return workflow_id

    async def simulated(self, name: str | None = None) -> str:
        workflow_id = await self.named(name)
        await self.at_step(workflow_id, 6)
        return workflow_id

    async def deploy(self, workflow_id: str, status: int = 200, **fields: Any) -> Json:
        chosen: Json = {"cluster_id": self.cluster_id, "tool_calling_parser_type": "hermes", "supports_lora": True}
        await self.step(6, workflow_id, **chosen)
        scaler = {"enabled": True, "minReplicas": 2, "maxReplicas": 4}
        body = {"budaiscaler_specification": scaler, "trigger_workflow": True, **fields}
        return await self.step(8, workflow_id, status, **body)

    async def deployed(self, name: str | None = None) -> Json:
        """Deploy the model; return the endpoint's row."""
        workflow_id = await self.simulated(name)
        await self.deploy(workflow_id)
        await self.bench.until(workflow_id, "completed")
        return (await self.endpoints())[-1]

    async def endpoints(self) -> list[Json]:
        rows = await self.bench.sql("select to_jsonb(endpoint) from endpoint order by created_at")
        return [dict(row[0]) for row in rows]

    async def running(self) -> list[Json]:
        """Return what budcluster runs on the cluster."""
        query = {"contains": self.cluster_id}
        return list((await self.budcluster.http.get("/control/deployments", params=query)).json())

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Bring events until the condition holds."""

        async def holds() -> bool:
            await self.bench.pump()
            return await condition()

        await until(holds)

    async def at_step(self, workflow_id: str, number: int) -> Json:
        found: Json = {}

        async def is_there() -> bool:
            nonlocal found
            await self.bench.pump()
            found = await self.bench.get(workflow_id)
            return bool(found["current_step"] == number)

        await until(is_there)
        return found


@pytest.fixture
async def ground(
    bench: Bench, client: httpx.AsyncClient, stand_in: Callable[[str], StandIn], cast: Cast
) -> AsyncIterator[Ground]:
    budsim, budcluster = stand_in("budsim"), stand_in("budcluster")
    cluster_id = await enter_cluster(bench, cast.admin)
    await bench.sql("update cluster set gpu_total_workers = 8, gpu_available_workers = 6, gpu_count = 8")
    await budcluster.http.post("/control/clusters", json={"id": cluster_id})
    project = await create(client, cast.admin, name=f"Project {uuid4().hex[:8]}")
    await join(bench.database, project["id"], bench.person, scopes=("endpoint:view", "endpoint:manage"))
    yield Ground(bench, project["id"], await added(bench, "Tiny-llama-1b"), cluster_id, budsim, budcluster)
    await budcluster.http.delete(f"/control/clusters/{cluster_id}")
    for peer in (budsim, budcluster):
        await peer.behave()
