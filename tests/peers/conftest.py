"""The running test stack: its stand-ins, each with its control routes, and the topics that they publish to."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from budapp.integrations.dapr import DaprClient
from tests import stack
from tests.stack import address_of, http_client, valkey_url
from tests.waiting import until

Fields = dict[str, Any]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The stack's settings, the ports of its parts among them."""
    return stack.environment()


@pytest.fixture(scope="session")
async def dapr() -> AsyncIterator[DaprClient]:
    """The client that budapp asks its peers with, on the stack's own sidecar."""
    client = DaprClient(stack.settings())
    yield client
    await client.close()


@dataclass
class StandIn:
    """The control routes of a stand-in, which tests that run at the same time share."""

    http: httpx.AsyncClient
    wrongs: set[str] = field(default_factory=set)

    async def does_wrong(self, contains: str, **fault: Any) -> None:
        """Have it do something wrong with requests that contain a text which no other test's do."""
        self.wrongs.add(contains)
        answer = await self.http.post("/control/faults", json={"contains": contains, **fault})
        assert answer.status_code == 200, answer.text

    async def behave(self) -> None:
        """Take back what this test has had it do wrong."""
        for contains in self.wrongs:
            await self.http.delete("/control/faults", params={"contains": contains})
        self.wrongs.clear()

    async def requests(self, contains: str) -> list[Fields]:
        return list((await self.http.get("/control/requests", params={"contains": contains})).json())

    async def work(self, workflow_id: str) -> Fields:
        return dict((await self.http.get(f"/control/work/{workflow_id}")).json())


@pytest.fixture
async def stand_in() -> AsyncIterator[Callable[[str], StandIn]]:
    """Returns the stand-in of a name."""
    clients: list[httpx.AsyncClient] = []

    def named(name: str) -> StandIn:
        clients.append(http_client(address_of(name), timeout=10))
        return StandIn(clients[-1])

    yield named
    for client in clients:
        await client.aclose()


@dataclass
class Topic:
    """A topic of one test, read from the broker: what is there, in its order."""

    name: str
    redis: Redis

    async def events(self) -> list[Fields]:
        messages: Any = await self.redis.xrange(self.name)
        return [json.loads(fields[b"data"]) for _, fields in messages]

    async def statuses(self) -> list[tuple[str, str]]:
        contents = [event["payload"] for event in await self.events()]
        return [(payload["event"], payload["content"]["status"]) for payload in contents]

    async def steps(self) -> list[tuple[str, str]]:
        """Returns what was told, but how long it still takes."""
        return [status for status in await self.statuses() if status[0] != "eta"]

    async def until_told(self, event: str, status: str = "COMPLETED") -> None:
        async def is_told() -> bool:
            return (event, status) in await self.statuses()

        await until(is_told)

    async def until_count(self, count: int) -> None:
        async def are_there() -> bool:
            return len(await self.events()) >= count

        await until(are_there)


@pytest.fixture
async def topic() -> AsyncIterator[Topic]:
    """A topic that nobody else has; it is the callers' in place of `budAppMessages`."""
    redis = Redis.from_url(valkey_url(stack.settings(), 0))
    made = Topic(f"peers-{uuid4()}", redis)
    yield made
    await redis.delete(made.name)
    await redis.aclose()


@dataclass
class Caller:
    """A workflow of a user, as budapp names it to its peers."""

    workflow_id: str
    user_id: str
    topic: str

    def meta(self) -> Fields:
        whom = {"name": "bud-internal", "subscriber_ids": self.user_id, "workflow_id": self.workflow_id}
        return {"notification_metadata": whom, "source_topic": self.topic}


@pytest.fixture
def caller(topic: Topic) -> Caller:
    return Caller(str(uuid4()), str(uuid4()), topic.name)
