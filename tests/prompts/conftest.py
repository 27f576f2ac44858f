"""A place for prompts: a project with a deployment, budprompt's stand-in, and somebody who writes them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from budapp.commons.domain import components_of
from budapp.events.relay import Relay
from tests.cast import Cast, Person
from tests.gateway.conftest import Deploy, deploy, own_settings, tables, valkey
from tests.peers.conftest import StandIn, environment, stand_in
from tests.projects.data import create, join
from tests.workflows.conftest import Bench, bench

__all__ = ["bench", "deploy", "environment", "own_settings", "stand_in", "tables", "valkey"]

Json = dict[str, Any]
AT = "/prompts"
SAYS = {"system_prompt": "You help.\nBe kind.", "messages": [{"role": "user", "content": "Hello"}]}


@dataclass
class Writer:
    """Somebody who calls, in a project with two deployments."""

    bench: Bench
    person: Person
    peer: StandIn
    project_id: str
    endpoint: Any
    other_endpoint: Any

    def of(self, person: Person) -> "Writer":
        return Writer(self.bench, person, self.peer, self.project_id, self.endpoint, self.other_endpoint)

    async def call(self, method: str, path: str, status: int = 200, **sent: Any) -> Any:
        answer = await self.bench.http.request(method, f"{AT}{path}", headers=self.person.headers, **sent)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def draft(self, status: int = 200, **says: Any) -> str:
        """Save a draft, and return what budprompt calls it."""
        body = {"deployment_name": self.endpoint.name, **SAYS, **says}
        return str((await self.call("POST", "/prompt-config", status, json=body)).get("bud_prompt_id"))

    def steps(self, called: str, draft: str, **more: Any) -> Json:
        about = {"project_id": self.project_id, "endpoint_id": str(self.endpoint.id), "bud_prompt_id": draft}
        load = {"concurrency": [1, 10], "auto_scale": False, "caching": True, "rate_limit": True, "rate_limit_value": 5}
        tags = [{"name": "support", "color": "#112233"}]
        return {"name": called, "description": "Helps", "tags": tags, **load, **about, **more}

    async def trigger(self, called: str, draft: str, status: int = 200, **more: Any) -> Json:
        """Take the steps of making a prompt, as the browser does."""
        first = {"step_number": 1, "workflow_total_steps": 5, "project_id": self.project_id}
        workflow_id = (await self.call("POST", "/prompt-workflow", json=first))["workflow_id"]
        kept = {"sessions": [], "activeSessionIds": [], "selectedSessionId": "", "version": 1}
        second = {"step_number": 2, "workflow_id": workflow_id, "prompt_type": "simple_prompt"}
        await self.call("POST", "/prompt-workflow", json=second)
        third = {"step_number": 3, "workflow_id": workflow_id, "client_metadata": kept}
        await self.call("POST", "/prompt-workflow", json=third)
        last = {"step_number": 4, "workflow_id": workflow_id, "trigger_workflow": True}
        found: Json = await self.call(
            "POST", "/prompt-workflow", status, json={**last, **self.steps(called, draft, **more)}
        )
        return {"workflow_id": workflow_id, **found}

    async def prompt(self, name: str | None = None, **says: Any) -> Json:
        """Make a prompt, and return it."""
        made = await self.trigger(name or f"bot-{uuid4().hex[:8]}", await self.draft(**says))
        assert made["status"] == "completed", made
        found: Json = (await self.call("GET", f"/{made['workflow_steps']['prompt_id']}"))["prompt"]
        return found

    async def version(self, prompt: Json, **more: Any) -> Json:
        says = {name: more.pop(name) for name in list(more) if name in {"system_prompt", "messages"}}
        body = {"endpoint_id": str(self.endpoint.id), "bud_prompt_id": await self.draft(**says), **more}
        found: Json = (await self.call("POST", f"/{prompt['id']}/versions", json=body))["version"]
        return found

    async def drain(self) -> None:
        """Deliver what waits in the outbox."""
        await components_of(self.bench.app)[Relay].drain()


@pytest.fixture
async def writer(
    bench: Bench, cast: Cast, deploy: Deploy, client: httpx.AsyncClient, stand_in: Callable[[str], StandIn]
) -> AsyncIterator[Writer]:
    peer = stand_in("budprompt")
    bench.peer = peer
    project = await create(client, cast.manager, name=f"Project {uuid4().hex[:8]}")
    await join(bench.database, project["id"], cast.developer, scopes=("endpoint:view", "endpoint:manage"))
    endpoint = await deploy(project["id"], name=f"chat-{uuid4().hex[:8]}")
    other = await deploy(project["id"], name=f"chat-{uuid4().hex[:8]}")
    yield Writer(bench, cast.developer, peer, project["id"], endpoint, other)
    await peer.behave()
