"""A project with deployments, the catalogue's probes, and the steps of putting a guardrail before them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from uuid_utils.compat import uuid7

from budapp.commons.domain import components_of
from budapp.guardrail_ops.seeds import ensure_probes
from budapp.model_ops.models import Model
from tests.cast import Cast, Person
from tests.gateway.conftest import own_settings, tables, valkey
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import add, create, endpoint_row, join
from tests.workflows.conftest import Bench, Json, bench

__all__ = ["bench", "environment", "own_settings", "stand_in", "tables", "valkey"]

DEPLOY = "/guardrails/deploy-workflow"
CLASSIFIER = "protectai/deberta-v3-base-prompt-injection-v2"
LOAD: Json = {"concurrent_requests": 10, "avg_sequence_length": 128, "avg_context_length": 1024}


@dataclass
class Fort:
    """Where guardrails are put."""

    bench: Bench
    pipelines: StandIn | None
    cast: Cast
    project_id: str
    endpoints: list[str]
    probes: dict[str, Json] = field(default_factory=dict)

    @property
    def budpipeline(self) -> StandIn:
        """The stand-in that runs pipelines; what needs it is left out where the stack has none."""
        if self.pipelines is None:
            pytest.skip("the stack has no stand-in for budpipeline")
        return self.pipelines

    async def get(self, path: str, status: int = 200, person: Person | None = None, **query: Any) -> Json:
        headers = (person or self.bench.person).headers
        answer = await self.bench.http.get(f"/guardrails{path}", params=query, headers=headers)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def call(
        self, method: str, path: str, status: int = 200, person: Person | None = None, json: Any = None
    ) -> Json:
        headers = (person or self.bench.person).headers
        answer = await self.bench.http.request(method, f"/guardrails{path}", headers=headers, json=json)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def step(self, number: int, workflow_id: str | None = None, status: int = 200, **said: Any) -> Json:
        total = {"workflow_total_steps": 10} if workflow_id is None else {"workflow_id": workflow_id}
        return await self.bench.post(DEPLOY, status, step_number=number, **total, **said)

    async def drafted(self, *probes: str, name: str = "Guard", **more: Any) -> str:
        """Take the steps of the browser up to the one that names the profile."""
        chosen = [self.probes[probe] for probe in probes]
        kind = {"provider_id": chosen[0]["provider_id"], "provider_type": chosen[0]["provider_type"]}
        workflow_id = str((await self.step(1, **kind))["workflow_id"])
        await self.step(2, workflow_id, probe_selections=[{"id": one["id"]} for one in chosen])
        await self.step(3, workflow_id, project_id=self.project_id)
        await self.step(5, workflow_id, deployment_type="existing_deployment", is_standalone=False)
        await self.step(6, workflow_id, endpoint_ids=[self.endpoints[0]])
        about = {"name": name, "description": "Careful", "guard_types": ["input", "output"], "severity_threshold": 0.5}
        await self.step(7, workflow_id, **{**about, **more})
        return workflow_id

    async def deployed(self, *probes: str, **more: Any) -> Json:
        """Put a guardrail without models before the first endpoint; return the profile."""
        workflow_id = await self.drafted(*probes, **more)
        done = await self.step(10, workflow_id, trigger_workflow=True)
        assert done["status"] == "completed", done
        return dict((await self.get(f"/profile/{done['workflow_steps']['guardrail_profile_id']}"))["profile"])

    async def put_in_model(self, uri: str = CLASSIFIER) -> str:
        person = self.cast.manager
        about = {"modality": ["text_input"], "supported_endpoints": ["/v1/classify"], "source": "local"}
        owned = {"tenant_id": person.tenant_id, "created_by": person.id, "provider_type": "hugging_face"}
        model = Model(id=uuid7(), name=uri.rpartition("/")[2], uri=uri, **about, **owned)
        await add(self.bench.database, model)
        return str(model.id)

    async def put_in_endpoint(self, name: str, model_id: str, **more: Any) -> str:
        about = {"name": name, "model_id": model_id, "namespace": f"bud-{name}", **more}
        paths = {"supported_endpoints": ["/v1/chat/completions"]}
        endpoint = endpoint_row(self.project_id, self.cast.manager, **{**paths, **about})
        await add(self.bench.database, endpoint)
        return str(endpoint.id)


@pytest.fixture
async def fort(
    bench: Bench,
    client: httpx.AsyncClient,
    stand_in: Callable[[str], StandIn],
    environment: dict[str, str],
    cast: Cast,
) -> AsyncIterator[Fort]:
    budpipeline = stand_in("budpipeline") if "BUDPIPELINE_PORT" in environment else None
    async with bench.database.write() as session:
        await ensure_probes(session, components_of(bench.app))
    project = await create(client, cast.manager, name=f"Project {uuid4().hex[:8]}")
    await join(bench.database, project["id"], bench.person, scopes=("endpoint:view", "endpoint:manage"))
    if budpipeline is not None:
        await budpipeline.http.put(f"/control/pretend/{bench.person.id}")
    made = Fort(bench, budpipeline, cast, project["id"], [])
    model_id = await made.put_in_model("acme/chat")
    for name in ("one", "two"):
        made.endpoints.append(await made.put_in_endpoint(f"{name}-{uuid4().hex[:8]}", model_id))
    made.probes = {one["name"]: one for one in (await made.get("/probes", limit=100))["probes"]}
    yield made
    if budpipeline is not None:
        await budpipeline.behave()
