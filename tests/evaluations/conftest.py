"""A project with two deployments, datasets of a small manifest, and budeval's stand-in that runs them."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from uuid_utils.compat import uuid7

from budapp.commons.domain import components_of
from budapp.evaluation_ops.services import EvaluationData
from budapp.model_ops.models import Model
from tests.cast import Cast, Person
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import add, create, endpoint_row, join
from tests.workflows.conftest import Bench, Json, bench

__all__ = ["bench", "environment", "stand_in"]

TRAITS = [{"name": "Knowledge", "category": "Capability"}, {"name": "Reasoning"}, {"name": "Fairness"}]


RUN = uuid4().hex[:6]
"""In the names that the engine has for datasets: scores are set for this worker's tests alone."""


def engine_name(name: str) -> str:
    return f"{name.lower()}_{RUN}_gen"


def dataset(name: str, *traits: str, gen: str | None = None, samples: int | None = 1000, **more: Any) -> Json:
    names = {"gen": gen or engine_name(name)}
    return {"name": name, "traits": list(traits), "sample_count": samples, "eval_types": names, **more}


DATASETS = [
    dataset("Alpha", "Knowledge", "Reasoning", language=["English"], domains=["Law"], task_type=["Multiple choice"]),
    dataset("Beta", "Knowledge", samples=100, language=["German", "English"]),
    dataset("Gamma", "Reasoning", samples=None),
    dataset("Broken", "Knowledge", gen="fails_gen"),
    dataset("Quiet", "Knowledge", gen="silent_gen"),
    dataset("Bias", "Fairness", modalities=["text"]),
]


def manifest(path: Path, datasets: Sequence[Any] = DATASETS, traits: Sequence[Any] = TRAITS, version: str = "1") -> str:
    """Write a manifest; return where it is."""
    file = path / f"manifest-{uuid4()}.json"
    file.write_text(json.dumps({"version": version, "traits": list(traits), "datasets": list(datasets)}))
    return str(file)


@dataclass
class Lab:
    """Where deployments are evaluated."""

    bench: Bench
    budeval: StandIn
    cast: Cast
    project_id: str
    endpoints: list[str]
    names: list[str]
    manifest: str
    experiment_id: str = ""
    data: dict[str, str] = field(default_factory=dict)

    @property
    def workflow_path(self) -> str:
        return f"/experiments/{self.experiment_id}/evaluations/workflow"

    def ids(self, *names: str) -> list[str]:
        return [self.data[name] for name in names]

    async def get(self, path: str, status: int = 200, person: Person | None = None, **query: Any) -> Json:
        headers = (person or self.bench.person).headers
        answer = await self.bench.http.get(f"/experiments{path}", params=query, headers=headers)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def post(self, path: str, status: int = 201, **body: Any) -> Json:
        return await self.bench.call("POST", f"/experiments{path}", status, json=body)

    async def step(self, number: int, workflow_id: str | None = None, status: int = 200, **said: Any) -> Json:
        total = {"workflow_total_steps": 5} if workflow_id is None else {"workflow_id": workflow_id}
        body = {"step_number": number, "trigger_workflow": number == 5, "stage_data": said, **total}
        return await self.bench.call("POST", self.workflow_path, status, json=body)

    async def drafted(
        self, name: str = "First", datasets: Sequence[str] = ("Alpha", "Beta"), endpoint: int = 0, **said: Any
    ) -> str:
        """Take the steps up to the one that triggers."""
        first = await self.step(1, name=name, description="How good it is", **said)
        workflow_id = str(first["workflow_id"])
        await self.step(2, workflow_id, endpoint_id=self.endpoints[endpoint])
        await self.step(3, workflow_id, trait_ids=self.ids("Knowledge", "Reasoning"))
        await self.step(4, workflow_id, dataset_ids=self.ids(*datasets))
        return workflow_id

    async def evaluated(self, *arguments: Any, until: str = "completed", **more: Any) -> Json:
        """Evaluate; return the evaluation as the list has it."""
        workflow_id = await self.drafted(*arguments, **more)
        await self.step(5, workflow_id)
        await self.bench.until(workflow_id, until)
        return await self.newest()

    async def newest(self) -> Json:
        found = await self.get("/evaluations/all")
        return dict(found["evaluations"][0])

    async def keys(self) -> list[Any]:
        return await self.bench.sql("select endpoint_ids, project_id, user_id, expires_at - now() from gateway_token")

    async def score(self, dataset: str, score: float) -> None:
        answer = await self.budeval.http.put(f"/control/scores/{engine_name(dataset)}", json={"score": score})
        assert answer.status_code == 200, answer.text


async def put_in_deployment(bench: Bench, project_id: str, person: Person, name: str) -> str:
    about = {"modality": ["text_input"], "supported_endpoints": [], "source": "local", "provider_type": "disk"}
    owned = {"tenant_id": person.tenant_id, "created_by": person.id}
    model = Model(id=uuid7(), name=f"Model of {name}", uri=f"acme/{name}", **about, **owned)
    namespace = {"namespace": f"bud-{name}", "url": "http://10.0.0.7:8000/", "deployment_config": {"replicas": 1}}
    endpoint = endpoint_row(project_id, person, name=name, model_id=model.id, **namespace)
    await add(bench.database, model, endpoint)
    return str(endpoint.id)


@pytest.fixture
async def lab(
    bench: Bench, client: httpx.AsyncClient, stand_in: Callable[[str], StandIn], cast: Cast, tmp_path: Path
) -> AsyncIterator[Lab]:
    budeval = stand_in("budeval")
    source = manifest(tmp_path)
    await components_of(bench.app)[EvaluationData].sync(source)
    project = await create(client, cast.manager, name=f"Project {uuid4().hex[:8]}")
    await join(bench.database, project["id"], bench.person)
    names = [f"{name}-{uuid4().hex[:8]}" for name in ("one", "two")]
    endpoints = [await put_in_deployment(bench, project["id"], cast.manager, name) for name in names]
    made = Lab(bench, budeval, cast, project["id"], endpoints, names, source)
    found = [*(await made.get("/traits"))["traits"], *(await made.get("/datasets", limit=100))["datasets"]]
    made.data = {one["name"]: one["id"] for one in found}
    made.experiment_id = (await made.post("/", name="Which is better", description="Which one is better"))["id"]
    yield made
    await budeval.behave()
    await budeval.http.delete("/control/scores", params={"contains": RUN})
