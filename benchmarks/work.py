"""What people of a tenant do all day, through the API: they add models and upload files."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.delivery import Delivery

Json = dict[str, Any]

LOCAL = "/models/local-model-workflow"
_LOOK_SECONDS = 0.2


class WentWrong(Exception):
    """What came of a piece of work is not what should have come of it."""


@dataclass(frozen=True)
class Desk:
    """Somebody of a tenant at work: budapp, a project, budmodel's control routes, and what brings events."""

    http: httpx.AsyncClient
    project_id: str
    control: httpx.AsyncClient
    delivery: Delivery

    @classmethod
    async def open(cls, http: httpx.AsyncClient, control: httpx.AsyncClient, delivery: Delivery) -> "Desk":
        """Make a project to work in."""
        made = (await http.post("/projects/", json={"name": f"Soak {uuid4().hex[:8]}"})).raise_for_status().json()
        return cls(http, made["project"]["id"], control, delivery)

    async def post(self, path: str, status: int = 200, **body: Any) -> Json:
        """Post, and return the answer; raises `WentWrong` where its status is another one."""
        answer = await self.http.post(path, json=body)
        if answer.status_code != status:
            raise WentWrong(f"POST {path}: {answer.status_code} {answer.text[:300]}")
        return dict(answer.json())

    async def get(self, path: str) -> Json:
        """Return the answer; raises `WentWrong` where it is no success."""
        answer = await self.http.get(path)
        if not answer.is_success:
            raise WentWrong(f"GET {path}: {answer.status_code} {answer.text[:300]}")
        return dict(answer.json())

    async def until(self, path: str, state_of: Callable[[Json], Json], *passing: str) -> Json:
        """Look until the state is none of those that pass, and return it."""
        while True:
            state = state_of(await self.get(path))
            if state["status"] not in passing:
                return state
            await asyncio.sleep(_LOOK_SECONDS)

    async def draft(self, name: str) -> str:
        """Take the steps of adding a model up to the one that triggers; return the workflow's id."""
        first = await self.post(LOCAL, step_number=1, workflow_total_steps=5, provider_type="hugging_face")
        workflow_id = str(first["workflow_id"])
        await self.post(LOCAL, step_number=2, workflow_id=workflow_id, name=name, uri=f"acme/{name}", tags=[])
        return workflow_id

    async def trigger(self, workflow_id: str, status: int = 200) -> Json:
        """Have budmodel fetch the model."""
        return await self.post(LOCAL, status, step_number=3, workflow_id=workflow_id, trigger_workflow=True)

    async def ended(self, workflow_id: str) -> Json:
        """Return the workflow once nobody works on it any more."""
        return await self.until(f"/workflows/{workflow_id}", lambda found: found, "in_progress")

    async def upload(self, file_name: str, content: bytes) -> Json:
        """Upload a file, and return what came of its being checked."""
        made = await self.post("/datasets", project_id=self.project_id, name=f"Data {uuid4().hex[:8]}")
        dataset = f"/datasets/{made['dataset']['id']}"
        number = (await self.post(f"{dataset}/versions"))["version"]["number"]
        path = f"{dataset}/versions/{number}/files/train"
        answer = await self.http.put(path, files={"file": (file_name, content)})
        if not answer.is_success:
            raise WentWrong(f"PUT {path}: {answer.status_code} {answer.text[:300]}")
        return await self.until(dataset, lambda found: dict(found["dataset"]["versions"][0]["files"][0]), "checking")


def new_name() -> str:
    """Return the name of a model that nobody has."""
    return f"Soak-{uuid4().hex[:10]}-7b"


def expect(found: Json, status: str, *, reason: bool = False) -> None:
    """Raise `WentWrong` where what was found has another status, or lacks the reason that it should have."""
    if found["status"] != status or (reason and not found["reason"]):
        raise WentWrong(f"{found['status']} ({found['reason']}), not {status}")


async def add_model(desk: Desk) -> None:
    """Add a model from a hub, and look at it."""
    workflow_id = await desk.draft(new_name())
    await desk.trigger(workflow_id)
    done = await desk.ended(workflow_id)
    expect(done, "completed")
    await desk.get(f"/models/{done['workflow_steps']['model_id']}")


async def add_file(desk: Desk) -> None:
    """Upload a file, and see it ready."""
    expect(await desk.upload("data.csv", b"id,text\n1,one\n2,two\n"), "ready")
