"""budmodel's stand-in on the running stack, and what it tells brought to the application."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import text

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.provider_ops.seeds import ensure_providers
from budapp.workflow_ops.services import Workflows
from tests.cast import Cast, Person
from tests.peers.conftest import StandIn, environment, stand_in
from tests.replicas import Replica, running_replica
from tests.stack import valkey_url
from tests.waiting import until

__all__ = ["environment", "stand_in"]

Json = dict[str, Any]

LOCAL, CLOUD, SCAN = "/models/local-model-workflow", "/models/cloud-model-workflow", "/models/security-scan"


@dataclass
class Bench:
    """A person, the application, budmodel's stand-in, and the topic that it tells the application on."""

    http: httpx.AsyncClient
    person: Person
    peer: StandIn
    redis: Redis
    settings: Settings
    database: Database
    app: FastAPI
    position: str = "0"
    seen: list[Json] = field(default_factory=list)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What Hypothesis shows instead of everyone's tokens."""
        printer.text("bench")

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Json:
        answer = await self.http.request(method, path, headers=self.person.headers, **options)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def post(self, path: str, status: int = 200, **body: Any) -> Json:
        return await self.call("POST", path, status, json=body)

    async def get(self, workflow_id: str, status: int = 200) -> Json:
        return await self.call("GET", f"/workflows/{workflow_id}", status)

    async def draft(self, name: str | None = None, **more: Any) -> str:
        """Take the steps of adding a model, up to the one that triggers; return the workflow's id."""
        name = name or f"Tiny-{uuid4().hex[:8]}-7b-Instruct"
        first = await self.post(LOCAL, step_number=1, workflow_total_steps=5, provider_type="hugging_face", **more)
        body: Json = {"name": name, "uri": f"acme/{name}", "tags": [{"name": "mine", "color": "#3F8EF7"}], "icon": None}
        await self.post(LOCAL, step_number=2, workflow_id=first["workflow_id"], author="acme", **body)
        return str(first["workflow_id"])

    async def trigger(self, workflow_id: str, status: int = 200) -> Json:
        return await self.post(LOCAL, status, step_number=3, workflow_id=workflow_id, trigger_workflow=True)

    async def asked(self, workflow_id: str) -> int:
        """How often budmodel was asked to work for the attempt that has this id."""
        found = await self.peer.requests(workflow_id)
        return len([request for request in found if request["method"] == "POST"])

    async def deliver(self, event: Json) -> None:
        token = self.settings.app_api_token.get_secret_value()
        answer = await self.http.post("/notifications", json=event, headers={"dapr-api-token": token})
        assert answer.status_code == 200, answer.text

    async def pump(self) -> list[Json]:
        """Bring what was told since the last time to the application."""
        found: Any = await self.redis.xrange(self.settings.app_topic, min=f"({self.position}")
        for position, fields in found:
            self.position = position.decode()
            self.seen.append(json.loads(fields[b"data"]))
            await self.deliver(self.seen[-1])
        return self.seen

    async def until(self, workflow_id: str, status: str) -> Json:
        """Bring events until the workflow has the status."""
        latest: Json = {}

        async def is_there() -> bool:
            nonlocal latest
            await self.pump()
            latest = await self.get(workflow_id)
            return bool(latest["status"] == status)

        await until(is_there, seen=lambda: (latest.get("status"), latest.get("reason")))
        return latest

    async def until_told(self, count: int, last: str | None = None) -> list[Json]:
        """Wait for so many events on the topic, without bringing them; return all that were not brought yet.

        With `last`, wait for an event of this name too: how many come before it may differ.
        """
        found: list[Any] = []
        names: list[str] = []

        async def are_there() -> bool:
            waiting: Any = await self.redis.xrange(self.settings.app_topic, min=f"({self.position}")
            found[:] = waiting
            names[:] = [json.loads(fields[b"data"])["payload"]["event"] for _, fields in found]
            return len(found) >= count and (last is None or last in names)

        await until(are_there, seen=lambda: names)
        self.position = found[-1][0].decode()
        return [json.loads(fields[b"data"]) for _, fields in found]

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.database.write() as session:
            result: Any = await session.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def reconcile(self) -> None:
        await components_of(self.app)[Workflows].reconciler.reconcile()

    async def reconcile_until(self, workflow_id: str, status: str) -> Json:
        """Reconcile until the workflow has the status: what a killed process held is free only a moment later."""
        latest: Json = {}
        failures: list[Any] = []

        async def is_there() -> bool:
            nonlocal latest
            await self.reconcile()
            latest = await self.get(workflow_id)
            failures[:] = await self.sql("select job, item, attempts, reason from job_failure")
            return bool(latest["status"] == status)

        await until(is_there, seen=lambda: (latest, failures))
        return latest


@pytest.fixture
async def bench(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database, settings: Settings, stand_in: Any
) -> AsyncIterator[Bench]:
    async with database.write() as session:
        await ensure_providers(session, components_of(app))
    redis = Redis.from_url(valkey_url(settings, 0))
    await redis.delete(settings.app_topic)
    peer = stand_in("budmodel")
    yield Bench(client, cast.developer, peer, redis, settings, database, app)
    await peer.behave()
    await redis.delete(settings.app_topic)
    await redis.aclose()


@pytest.fixture
async def replica(bench: Bench, settings: Settings) -> AsyncIterator[Replica]:
    """A process of its own that serves the same tenants."""
    async with running_replica(settings) as found:
        yield found
