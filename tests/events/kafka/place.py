"""Replicas of budapp behind one app id, each with a sidecar, and a service beside them that tells and listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import yaml
from prometheus_client.parser import text_string_to_metric_families

from budapp.commons.config import Settings
from budapp.commons.errors import Unavailable
from budapp.integrations.dapr import DaprClient
from tests.events.sidecar import Daprd, Peer, free_port, serve
from tests.replicas import Replica, running_replica
from tests.waiting import until

HEARD = "heard"
"""The path at which the service hears of its topic."""
_NOBODYS = {"source": "service", "name": "bud-internal", "payload": {"category": "internal", "source": "service"}}
"""An event that budapp does nothing about."""


@dataclass
class Place:
    """Replicas of budapp, and the service that talks to them through the broker."""

    replicas: list[Replica]
    sidecars: list[Daprd]
    """Those of the replicas."""
    settings: Settings
    service: DaprClient
    peer: Peer
    topic: str
    """What the service listens to."""

    async def tell(self, event: bytes) -> None:
        """Have the service publish an event for budapp, as often as it takes."""
        while True:
            with suppress(Unavailable):
                return await self.service.publish(self.settings.app_topic, json.loads(event))
            await asyncio.sleep(0.5)

    async def taken(self) -> list[int]:
        """Return how many events each replica has been handed."""
        return [await _events_of(replica) for replica in self.replicas]

    async def until_all_take_part(self) -> None:
        """Wait until each replica is handed events: who joins gets a share of the topic a few seconds later."""
        before = await self.taken()

        async def all_do() -> bool:
            await self.tell(json.dumps({**_NOBODYS, "id": uuid4().hex}).encode())
            return all(now > then for now, then in zip(await self.taken(), before, strict=True))

        await until(all_do)


async def _events_of(replica: Replica) -> int:
    text = (await replica.http.get("/metrics")).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    named = (sample for sample in samples if sample.name == "http_requests_total")
    return int(sum(sample.value for sample in named if sample.labels["route"].endswith("/notifications")))


@asynccontextmanager
async def running_place(
    settings: Settings, pubsub: Mapping[str, str], count: int, folder: Path
) -> AsyncIterator[Place]:
    """Run replicas, the service and all their sidecars within the block.

    Args:
        settings: the replicas', whatever sidecar they have; they get a topic and an app id of their own.
        pubsub: the pub/sub component and what belongs to it, by file.
        count: how many replicas.
        folder: for logs and components.
    """
    name = uuid4().hex[:8]
    service_id = f"service-{name}"  # it takes the place of budnotify, too
    ours = {"app_topic": f"budapp-{name}", "app_id": f"budapp-{name}", "bud_notify_app_id": service_id}
    own = settings.model_copy(update=ours)
    resources = {**pubsub, "state": _state(settings)}
    async with AsyncExitStack() as stack:
        starting = (_replica(stack, own, resources, folder / f"replica-{number}") for number in range(count))
        replicas, sidecars = zip(*await asyncio.gather(*starting), strict=True)
        peer, service = await _service(stack, own, pubsub, folder / "service")
        yield Place(list(replicas), list(sidecars), own, service, peer, topic=service_id)


async def _replica(
    stack: AsyncExitStack, settings: Settings, resources: Mapping[str, str], folder: Path
) -> tuple[Replica, Daprd]:
    port, components = free_port(), folder / "components"
    await asyncio.to_thread(components.mkdir, parents=True)
    daprd = Daprd(settings, port, components, app_id=settings.app_id, resources=resources)
    serving = running_replica(daprd.settings(settings), folder / "log", port=port)
    replica = await stack.enter_async_context(serving)
    stack.push_async_callback(daprd.kill)
    await daprd.start()
    return replica, daprd


async def _service(
    stack: AsyncExitStack, settings: Settings, pubsub: Mapping[str, str], folder: Path
) -> tuple[Peer, DaprClient]:
    await asyncio.to_thread(folder.mkdir)
    peer = Peer()
    peer.answers = {"dapr/subscribe": [404], "dapr/config": [404]}
    port = await stack.enter_async_context(serve(peer))
    heard = subscription(settings, settings.bud_notify_app_id, HEARD)
    daprd = Daprd(settings, port, folder, resources={**pubsub, "subscriptions": heard})
    stack.push_async_callback(daprd.kill)
    await daprd.start()
    client = DaprClient(daprd.settings(settings))
    stack.push_async_callback(client.close)
    return peer, client


def subscription(settings: Settings, topic: str, path: str, **more: str) -> str:
    """Return the subscription that has a topic delivered at a path."""
    spec = {"pubsubname": settings.pubsub_name, "topic": topic, "routes": {"default": f"/{path}"}, **more}
    head = {"apiVersion": "dapr.io/v2alpha1", "kind": "Subscription", "metadata": {"name": path}}
    return str(yaml.safe_dump({**head, "spec": spec}))


def _state(settings: Settings) -> str:
    spec = {"type": "state.in-memory", "version": "v1", "metadata": []}
    head = {"apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": settings.statestore_name}}
    return str(yaml.safe_dump({**head, "spec": spec}))
