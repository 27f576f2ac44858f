"""A place for pipelines: the application, budpipeline's stand-in, and somebody who builds them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.cast import Cast, Person
from tests.peers.conftest import StandIn, environment, stand_in
from tests.waiting import until

__all__ = ["environment", "stand_in"]

Json = dict[str, Any]
AT = "/budpipeline"


def dag(*steps: Json, **more: Any) -> Json:
    """Return a DAG of two steps, of which the second waits for the first; or of those given."""
    two: list[Json] = [
        {"id": "greet", "name": "Greet", "action": "log", "params": {"message": "Good morning"}, "depends_on": []},
        {"id": "rest", "name": "Rest", "action": "delay", "params": {"seconds": 1}, "depends_on": ["greet"]},
    ]
    return {"name": "Morning", "version": "1.0", "parameters": [], "steps": [*(steps or two)], "outputs": {}, **more}


@dataclass
class Builder:
    """Somebody who calls, and the stand-in that does the work."""

    http: httpx.AsyncClient
    person: Person
    peer: StandIn

    def of(self, person: Person) -> "Builder":
        return Builder(self.http, person, self.peer)

    async def call(self, method: str, path: str, status: int = 200, **sent: Any) -> Any:
        answer = await self.http.request(method, f"{AT}{path}", headers=self.person.headers, **sent)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def pipeline(self, **more: Any) -> Json:
        made: Json = await self.call("POST", "", 201, json={"dag": dag(), "name": "Morning", "icon": "🌅", **more})
        return made

    async def execute(self, pipeline: Json, **params: Any) -> Json:
        begun: Json = await self.call("POST", f"/{pipeline['id']}/execute", 201, json={"params": params})
        return begun

    async def ended(self, execution_id: str) -> Json:
        """Wait until an execution is over, and return how it went."""
        found: Json = {}

        async def over() -> bool:
            found.update(await self.call("GET", f"/executions/{execution_id}/progress"))
            return found["execution"]["status"] not in {"PENDING", "RUNNING"}

        await until(over)
        return found

    async def schedule(self, pipeline: Json, status: int = 201, **more: Any) -> Json:
        when = {"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"}
        body = {"workflow_id": pipeline["id"], "name": "Nightly", "schedule": when, **more}
        made: Json = await self.call("POST", "/schedules", status, json=body)
        return made


@pytest.fixture
async def builder(client: httpx.AsyncClient, cast: Cast, stand_in: Callable[[str], StandIn]) -> AsyncIterator[Builder]:
    peer = stand_in("budpipeline")
    yield Builder(client, cast.developer, peer)
    await peer.behave()
