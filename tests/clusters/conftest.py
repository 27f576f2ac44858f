"""A place for the flows of clusters: the application, budcluster's stand-in, and clusters that are cleared away."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from budapp.commons.domain import components_of
from budapp.events.relay import Relay
from tests.cast import Cast
from tests.clusters.kubeconfigs import config, dumped
from tests.peers.conftest import StandIn
from tests.workflows.conftest import Bench, Json, bench, environment, stand_in

__all__ = ["bench", "environment", "stand_in"]

ONBOARD = "/clusters/clusters"


@dataclass
class Site:
    """Where clusters are onboarded."""

    bench: Bench
    budcluster: StandIn
    made: list[str] = field(default_factory=list)

    async def post(self, status: int = 200, file: bytes | None = None, **fields: Any) -> Json:
        """Post a step of onboarding, as the browser does: a form, with the kubeconfig in it."""
        files = {"configuration_file": ("cluster.yaml", file, "application/yaml")} if file is not None else None
        form = {name: str(value) for name, value in fields.items()}
        return await self.bench.call("POST", ONBOARD, status, data=form, files=files)

    async def onboard(self, status: int = 200, file: bytes | None = None, **fields: Any) -> Json:
        """Post the one step that the browser posts."""
        fields = {"name": f"Cluster {uuid4().hex[:8]}", "icon": "🚀", "ingress_url": "https://in.example.com", **fields}
        fields = {"step_number": 1, "workflow_total_steps": 3, "trigger_workflow": "true", **fields}
        return await self.post(status, file if file is not None else dumped(config()), **fields)

    async def onboarded(self, **fields: Any) -> Json:
        """Onboard a cluster, and return it as it is listed."""
        workflow_id = (await self.onboard(**fields))["workflow_id"]
        done = await self.bench.until(workflow_id, "completed")
        found = await self.get(done["workflow_steps"]["cluster"]["id"])
        self.made.append(found["cluster_id"])
        return found

    async def get(self, cluster_id: str) -> Json:
        found: Json = (await self.bench.call("GET", f"/clusters/{cluster_id}"))["cluster"]
        return found

    async def listed(self, **query: Any) -> list[Json]:
        return list((await self.bench.call("GET", ONBOARD, params=query))["clusters"])

    async def delete(self, cluster_id: str, status: int = 200) -> Json:
        return await self.bench.call("POST", f"/clusters/{cluster_id}/delete-workflow", status)

    async def control(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        answer = await self.budcluster.http.request(method, f"/control/clusters/{path}", json=body)
        assert answer.is_success, answer.text
        return answer

    async def tell(self, cluster: Json, **what: Any) -> None:
        """Have budcluster tell of the cluster, and bring it to the application."""
        await self.control("POST", f"{cluster['cluster_id']}/tell", {"topic": self.bench.settings.app_topic, **what})
        for event in await self.bench.until_told(what.get("times", 1)):
            await self.bench.deliver(event)

    async def drain(self) -> None:
        """Deliver what waits in the outbox."""
        relay = components_of(self.bench.app)[Relay]
        await relay.drain()


@pytest.fixture
async def site(bench: Bench, stand_in: Callable[[str], StandIn], cast: Cast) -> AsyncIterator[Site]:
    bench.person = cast.manager
    budcluster = stand_in("budcluster")
    bench.peer = budcluster
    found = Site(bench, budcluster)
    yield found
    await budcluster.behave()
    for cluster_id in found.made:
        await budcluster.http.delete(f"/control/clusters/{cluster_id}")
