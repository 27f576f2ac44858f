"""The half of the stand-in for budcluster that registers, watches and deletes clusters."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import httpx
import yaml
from fastapi import APIRouter, Body, FastAPI, File, Form, HTTPException, Response, UploadFile, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError

from peers.budcluster_flows import CLOUD, DELETION, ON_PREMISES
from peers.cluster_nodes import STORAGE_CLASSES, ClusterEvents, node_facts, node_info, status_result
from peers.clusters import Cluster, Clusters
from peers.control import Control
from peers.envelope import Info, Status, WorkAnswer, WorkRequest, error
from peers.work import Deed, Order, StepFailed, Works

TOPIC = "budClusterMessages"
_DEFAULT_TOPIC = "budAppMessages"


class ClusterCreateRequest(WorkRequest):
    """The form field `cluster_create_request` of `POST /cluster`, as JSON."""

    name: str
    enable_master_node: bool
    ingress_url: str | None = None
    configuration: str | None = None
    credential_id: str | None = None
    provider_id: str | None = None
    region: str | None = None
    credentials: str | None = None
    cluster_type: str = "ON_PREM"
    cloud_provider_unique_id: str | None = None


class ClusterDeleteRequest(WorkRequest):
    """The body of `POST /cluster/delete`."""

    cluster_id: UUID
    cluster_config: dict[str, Any] | None = None
    platform: str | None = None
    cluster_type: str | None = "ON_PREM"
    cloud_payload: str | None = None


class EditClusterRequest(BaseModel):
    """The body of `PATCH /cluster/{cluster_id}`."""

    ingress_url: str


class Reachability(BaseModel):
    """How a cluster is, for the control route."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["available", "not_available", "error"]
    reason: str | None = None
    silent: bool = False


class NodeState(BaseModel):
    """Whether a machine is up, for the control route."""

    model_config = ConfigDict(extra="forbid")

    status: bool


class Tell(BaseModel):
    """A status event that is to be sent now, for the control route; what is not said is as it is."""

    model_config = ConfigDict(extra="forbid")

    at: datetime | None = None
    status: str | None = None
    topic: str | None = None
    times: int = 1


@dataclass
class Known:
    """What is kept of a cluster beside its machines: in memory, as it is not for others."""

    name: str = ""
    ingress_url: str | None = None
    server: str | None = None
    topics: list[str] = field(default_factory=lambda: [_DEFAULT_TOPIC])
    status: str = "available"
    reason: str | None = None
    silent: bool = False


class ClusterDesk:
    """The routes about clusters."""

    def __init__(self, control: Control, works: Works) -> None:
        self._control = control
        self._works = works
        self._clusters = Clusters(works.sidecar)
        self._events = ClusterEvents(works.sidecar)
        self._known: dict[UUID, Known] = {}

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Tell of all clusters periodically while the stand-in runs."""
        telling = asyncio.create_task(self._keep_telling())
        yield
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

    async def register(
        self, cluster_create_request: Annotated[str, Form()], configuration: Annotated[UploadFile, File()]
    ) -> WorkAnswer:
        """Register a cluster that a kubeconfig reaches, or make one in a cloud."""
        try:
            request = ClusterCreateRequest.model_validate_json(cluster_create_request)
        except ValidationError as problem:
            raise RequestValidationError(problem.errors(include_url=False, include_context=False)) from problem
        config = _mapping(await configuration.read())
        cloud = request.cluster_type == "CLOUD"
        cluster, known = Cluster(id=uuid4()), _known_of(request, config)

        def result(_workflow_id: UUID) -> dict[str, Any]:
            return {"id": str(cluster.id), "nodes": [node_facts(cluster, node) for node in cluster.nodes]}

        deeds: dict[str, Deed] = {"fetch_cluster_info": self._keep(cluster, known)}
        if cloud:
            deeds["create_cloud_provider_cluster"] = _check_credentials(request)
        else:
            deeds["check_duplicate_config"] = self._check_new(known)
        return self._works.start(Order(CLOUD if cloud else ON_PREMISES, request, result, {"name": request.name}, deeds))

    async def edit(self, cluster_id: UUID, request: EditClusterRequest) -> Response:
        """Change the address under which deployments are reached."""
        if await self._clusters.find(cluster_id) is None:
            return _not_found()
        self._known.setdefault(cluster_id, Known()).ingress_url = request.ingress_url
        param = {"cluster_id": str(cluster_id), "ingress_url": request.ingress_url}
        return JSONResponse(Info(message="Cluster updated successfully", param=param).model_dump())

    async def delete(self, request: ClusterDeleteRequest) -> WorkAnswer:
        """Take everything off a cluster, and forget it."""

        async def forget() -> None:
            if await self._clusters.find(request.cluster_id) is None:
                raise StepFailed("Cluster not found")
            await self._clusters.remove(request.cluster_id)
            self._known.pop(request.cluster_id, None)

        facts = {"cluster_id": request.cluster_id}
        return self._works.start(Order(DELETION, request, lambda _: {}, facts, {"delete_namespace": forget}))

    async def cancel(self, workflow_id: UUID) -> Response:
        """End a registration; nothing more is told of it."""
        if self._works.cancel(workflow_id):
            return JSONResponse(Info(message="Cluster onboarding cancelled successfully").model_dump())
        return JSONResponse(error("There is no such work under way", "NotFound"), status.HTTP_404_NOT_FOUND)

    async def update_node_status(self, cluster_id: Annotated[UUID, Body(embed=True)]) -> Response:
        """Look at a cluster's machines, and tell how they are."""
        if await self._clusters.find(cluster_id) is None:
            return _not_found()
        await self.tell(cluster_id, Tell())
        return JSONResponse(Info(message="Node status updated").model_dump())

    async def nodes(self, cluster_id: UUID) -> Response:
        """Return the machines of a cluster."""
        cluster = await self._clusters.find(cluster_id)
        if cluster is None:
            return _not_found()
        if self._known.get(cluster_id, Known()).status != "available":
            return JSONResponse(error("Cluster is not reachable"), status.HTTP_500_INTERNAL_SERVER_ERROR)
        param = {"nodes": [node_info(cluster, node) for node in cluster.nodes]}
        return JSONResponse(Info(message="Cluster nodes retrieved", param=param).model_dump())

    async def storage_classes(self, cluster_id: UUID) -> Response:
        """Return the kinds of storage that a cluster has."""
        if await self._clusters.find(cluster_id) is None:
            return _not_found()
        param = {"storage_classes": STORAGE_CLASSES}
        return JSONResponse(Info(message="Storage classes retrieved", param=param).model_dump())

    async def set_node(self, cluster_id: UUID, name: str, state: NodeState) -> Cluster:
        """Have a machine go away, or come back."""
        cluster = await self._found(cluster_id)
        node = next((node for node in cluster.nodes if node.name == name), None)
        if node is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "No machine of this name")
        node.status = state.status
        await self._clusters.add(cluster)
        reason = "NodeReady" if state.status else "NodeNotReady"
        kind = "Normal" if state.status else "Warning"
        await self._events.add(
            cluster_id, name, kind=kind, reason=reason, message=f"Node {name} status is now: {reason}"
        )
        return cluster

    async def set_reachability(self, cluster_id: UUID, how: Reachability) -> Response:
        """Have a cluster be out of reach, or nothing be told of it any more."""
        await self._found(cluster_id)
        known = self._known.setdefault(cluster_id, Known())
        known.status, known.reason, known.silent = how.status, how.reason, how.silent
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def tell(self, cluster_id: UUID, what: Tell) -> Response:
        """Send the status event of a cluster now."""
        cluster = await self._found(cluster_id)
        known = self._known.get(cluster_id, Known())
        result = status_result(cluster, what.status or known.status, known.reason)
        moment = (what.at or datetime.now(UTC)).isoformat()
        for _ in range(what.times):
            for topic in [what.topic] if what.topic else known.topics:
                await self._works.sidecar.publish(topic, _status_event(cluster_id, result, moment))
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def tell_all(self) -> Response:
        """Send the status events of all clusters but those that are silent."""
        for cluster in await self._clusters.all():
            if not self._known.get(cluster.id, Known()).silent:
                await self.tell(cluster.id, Tell())
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def _keep_telling(self) -> None:
        seconds = self._control.settings.peers_status_seconds
        while seconds > 0:
            await asyncio.sleep(seconds)
            try:
                await self.tell_all()
            except (httpx.HTTPError, HTTPException):
                continue  # the sidecar, or a cluster that went meanwhile: next time

    async def _found(self, cluster_id: UUID) -> Cluster:
        cluster = await self._clusters.find(cluster_id)
        if cluster is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "Cluster not found")
        return cluster

    def _check_new(self, known: Known) -> Deed:
        async def check() -> None:
            if known.server is not None and any(one.server == known.server for one in self._known.values()):
                raise StepFailed("Cluster already exists")

        return check

    def _keep(self, cluster: Cluster, known: Known) -> Deed:
        async def keep() -> None:
            try:
                await self._clusters.add(cluster)
            except httpx.HTTPError as problem:
                raise StepFailed("The list of clusters cannot be written") from problem
            self._known[cluster.id] = known

        return keep


def _check_credentials(request: ClusterCreateRequest) -> Deed:
    async def check() -> None:
        needed = (request.region, request.credentials, request.cloud_provider_unique_id)
        if not all(needed) or not isinstance(json.loads(request.credentials or "null"), dict):
            raise StepFailed("Cloud provider credentials are missing")

    return check


def _mapping(content: bytes) -> dict[str, Any]:
    try:
        found = yaml.safe_load(content)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "The configuration is not a mapping")
    return found


def _known_of(request: ClusterCreateRequest, config: dict[str, Any]) -> Known:
    clusters = config.get("clusters")
    server = clusters[0]["cluster"]["server"] if isinstance(clusters, list) and clusters else None
    return Known(request.name, request.ingress_url, server, request.topics() or [_DEFAULT_TOPIC])


def _status_event(cluster_id: UUID, result: dict[str, Any], moment: str) -> dict[str, Any]:
    content = {
        "title": "Cluster status updated",
        "message": f"Cluster {cluster_id} status updated",
        "status": Status.COMPLETED,
        "result": result,
        "primary_action": None,
        "secondary_action": None,
    }
    payload = {"category": "internal", "type": "cluster-status-update", "event": "results", "workflow_id": ""}
    return {
        "notification_type": "event",
        "name": "bud-internal",
        "subscriber_ids": None,
        "actor": None,
        "topic_keys": [_DEFAULT_TOPIC],
        "payload": {**payload, "source": "budcluster", "content": content},
        "source": "budcluster",
        "source_topic": TOPIC,
        "type": "cluster-status-update",
        "time": moment,
    }


def _not_found() -> JSONResponse:
    return JSONResponse(error("Cluster not found", "NotFound"), status.HTTP_404_NOT_FOUND)


def router(control: Control, works: Works) -> APIRouter:
    """Return the routes of the contract about clusters, and those by which they misbehave."""
    desk = ClusterDesk(control, works)
    routes = APIRouter(lifespan=desk.lifespan)
    routes.add_api_route("/cluster", desk.register, methods=["POST"])
    routes.add_api_route("/cluster/delete", desk.delete, methods=["POST"])
    routes.add_api_route("/cluster/update-node-status", desk.update_node_status, methods=["POST"])
    routes.add_api_route("/cluster/cancel/{workflow_id}", desk.cancel, methods=["POST"])
    routes.add_api_route("/cluster/periodic-node-status-update", desk.tell_all, methods=["POST"])
    routes.add_api_route("/cluster/{cluster_id}", desk.edit, methods=["PATCH"])
    routes.add_api_route("/cluster/{cluster_id}/nodes", desk.nodes, methods=["GET"])
    routes.add_api_route("/cluster/{cluster_id}/storage-classes", desk.storage_classes, methods=["GET"])
    for path, method, function in (
        ("/nodes/{name}", "PUT", desk.set_node),
        ("/status", "PUT", desk.set_reachability),
        ("/tell", "POST", desk.tell),
    ):
        routes.add_api_route(f"/control/clusters/{{cluster_id}}{path}", function, methods=[method], tags=["control"])
    return routes
