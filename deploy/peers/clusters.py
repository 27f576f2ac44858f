"""The clusters that budcluster knows, and tells budsim of under a key of the shared state store."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from peers.sidecar import Sidecar

_KEY = "cluster_info"


class Device(BaseModel):
    """A kind of device in a node."""

    name: str
    type: str
    available_count: int
    mem_per_GPU_in_GB: float  # noqa: N815 - the services' name
    cores: int | None = None
    memory_gb: float | None = None


class Node(BaseModel):
    """A machine of a cluster."""

    id: str
    name: str
    devices: list[Device]
    status: bool = True
    is_master: bool = False


class Cluster(BaseModel):
    """A cluster; without nodes given, it has two machines with processors and graphics cards."""

    id: UUID
    nodes: list[Node] = Field(default_factory=lambda: [_node(1), _node(2)])

    def device_types(self) -> list[str]:
        """Return the kinds of devices that work can run on, the fastest first."""
        found = {device.type for node in self.nodes if node.status for device in node.devices}
        return sorted(found, key=lambda kind: (kind.startswith("cpu"), kind))


class Clusters:
    """The list in the state store, which all stand-ins of the stack share."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def all(self) -> list[Cluster]:
        """Return all clusters.

        Raises:
            httpx.HTTPError: the store cannot be reached.
        """
        stored, _ = await self._sidecar.get_state(_KEY)
        return [Cluster.model_validate(one) for one in stored or []]

    async def find(self, cluster_id: UUID) -> Cluster | None:
        """Return a cluster, or None."""
        return next((cluster for cluster in await self.all() if cluster.id == cluster_id), None)

    async def add(self, cluster: Cluster) -> None:
        """Add a cluster, or replace it."""
        await self._change(cluster.id, [cluster.model_dump(mode="json")])

    async def remove(self, cluster_id: UUID) -> None:
        """Forget a cluster; one that is not there is forgotten already."""
        await self._change(cluster_id, [])

    async def _change(self, cluster_id: UUID, new: list[dict[str, Any]]) -> None:
        saved = False
        while not saved:
            stored, etag = await self._sidecar.get_state(_KEY)
            others = [one for one in stored or [] if one["id"] != str(cluster_id)]
            saved = await self._sidecar.save_state(_KEY, [*others, *new], etag)


def _node(number: int) -> Node:
    name = f"node-{number}"
    processor = Device(name="x86-64", type="cpu", available_count=1, mem_per_GPU_in_GB=256, cores=64, memory_gb=256)
    card = Device(name="A100", type="cuda", available_count=4, mem_per_GPU_in_GB=80, memory_gb=80)
    return Node(id=name, name=name, devices=[processor, card], is_master=number == 1)
