"""The stand-in for budsim: says how well a model would do on each cluster."""

import hashlib
import math
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import httpx
from fastapi import APIRouter, Query, Response, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, model_validator

from peers.clusters import Cluster, Clusters, Node
from peers.control import Control
from peers.envelope import WorkAnswer, WorkRequest, error
from peers.flow import Flow, Step
from peers.model_facts import CREATED
from peers.work import Deed, Order, StepFailed, Works


class HardwareMode(StrEnum):
    """Whether work has its devices for itself."""

    DEDICATED = "dedicated"
    SHARED = "shared"


class SimulationMethod(StrEnum):
    """How the numbers are found."""

    REGRESSOR = "regressor"
    HEURISTIC = "heuristic"


class SimulationRequest(WorkRequest):
    """The body of `POST /simulator/run`."""

    pretrained_model_uri: str
    model_uri: str | None = None
    is_proprietary_model: bool
    input_tokens: int
    output_tokens: int
    concurrency: int
    target_ttft: float | None = None
    target_throughput_per_user: float | None = None
    target_e2e_latency: float | None = None
    cluster_id: UUID | None = None
    is_quantization: bool = False
    quantization_method: str | None = None
    quantization_type: str | None = None
    simulation_method: SimulationMethod | None = None
    hardware_mode: HardwareMode | None = HardwareMode.DEDICATED
    model_endpoints: str | None = None
    model_max_context_length: int | None = None

    @model_validator(mode="after")
    def _has_targets(self) -> Self:
        targets = (self.target_ttft, self.target_throughput_per_user, self.target_e2e_latency)
        if not (self.is_proprietary_model or self.is_quantization) and None in targets:
            raise ValueError("target_ttft, target_throughput_per_user and target_e2e_latency are required")
        return self


class NodeConfigurationRequest(BaseModel):
    """The body of `POST /simulator/node-configurations`."""

    model_id: UUID
    cluster_id: UUID
    hostnames: list[str]
    hardware_mode: HardwareMode = HardwareMode.DEDICATED
    input_tokens: int = 1024
    output_tokens: int = 512
    concurrency: int = 10
    model_uri: str | None = None
    model_max_context_length: int | None = None


class Recommendations(BaseModel):
    """A page of recommendations, the best first."""

    object: str = "cluster_recommendations"
    page: int
    limit: int
    total_items: int
    total_pages: int
    items: list[dict[str, Any]]


SIMULATION = Flow(
    type="get_cluster_recommendations",
    minutes=3,
    steps=(
        Step(
            id="validation",
            title="Identifying compatibles clusters",
            description="Find the clusters that the model can run on",
            started=("Requirement validation", "Validating the requirements for the simulation"),
            completed=(
                "Identified compatible clusters",
                "All requirements and runtime compatibility are met for the cluster(s)",
            ),
            failed=("{error}", "Fix: Go to cluster management to add clusters"),
        ),
        Step(
            id="performance_estimation",
            title="Generating best configuration for each cluster",
            description="Estimate how well the model does with different settings",
            started=(
                "Generating best configurations",
                "Estimating performance metrics using {method} method (~2m remaining)",
            ),
            running=("Performance estimation progress: 50%", "Completed {half}/{total} device configurations"),
            completed=("Generated best configurations for each cluster", "All performance metrics are estimated"),
            failed=("Failed to generate best configurations", "{error}"),
        ),
        Step(
            id="ranking",
            title="Ranking the cluster based on performance",
            description="Put the clusters in order",
            started=(
                "Ranking the clusters based on performance",
                "Finding the most suitable clusters based on performance metrics",
            ),
            completed=("Ranked the clusters based on performance", "Found {recommendations} suitable cluster(s)"),
            failed=("Failed to rank the clusters", "{error}"),
        ),
    ),
    results=("Deployment Recommendation Results", "The deployment recommendation results are ready"),
)


class BudSim:
    """The routes."""

    def __init__(self, control: Control) -> None:
        self.works = Works(control, topic="budSimMessages")
        self._clusters = Clusters(self.works.sidecar)
        self._found: dict[UUID, list[dict[str, Any]]] = {}

    async def run(self, request: SimulationRequest) -> WorkAnswer:
        """Find the clusters for a model; the id of the work is what recommendations are asked for with."""
        facts: dict[str, object] = {"method": request.simulation_method or SimulationMethod.REGRESSOR}
        found: list[dict[str, Any]] = []

        def result(workflow_id: UUID) -> dict[str, Any]:
            self._found[workflow_id] = found
            answer = {"workflow_id": str(workflow_id), "recommendations": found, "created": CREATED}
            return {"object": "cluster_recommendations", **answer}

        look = self._look(request, found, facts)
        return self.works.start(Order(SIMULATION, request, result, facts, {"validation": look}))

    async def recommendations(
        self,
        workflow_id: UUID,
        cluster_id: str | None = None,
        concurrency: int | None = None,
        error_rate_threshold: float = 0.5,
        page: Annotated[int, Query(ge=1)] = 1,
        limit: Annotated[int, Query(ge=1)] = 1,
    ) -> Recommendations:
        """Return what a simulation has found; nothing before its end."""
        found = self._found.get(workflow_id, [])
        items = [
            one
            for one in found
            if cluster_id in {None, one["cluster_id"]}
            and concurrency in {None, one["metrics"]["concurrency"]}
            and one["metrics"]["error_rate"] <= error_rate_threshold
        ]
        pages = math.ceil(len(items) / limit)
        shown = items[(page - 1) * limit : page * limit]
        return Recommendations(page=page, limit=limit, total_items=len(items), total_pages=pages, items=shown)

    async def node_configurations(self, request: NodeConfigurationRequest) -> Response:
        """Return in which ways a model can be spread over the devices of some nodes."""
        try:
            cluster = await self._clusters.find(request.cluster_id)
        except httpx.HTTPError:
            return JSONResponse(error("The list of clusters cannot be read"), status.HTTP_503_SERVICE_UNAVAILABLE)
        if cluster is None:
            return JSONResponse(error("Cluster not found", "NotFound"), status.HTTP_404_NOT_FOUND)
        return JSONResponse(node_configurations(request, cluster))

    def _look(self, request: SimulationRequest, found: list[dict[str, Any]], facts: dict[str, object]) -> Deed:
        async def look() -> None:
            try:
                clusters = [one for one in await self._clusters.all() if request.cluster_id in {None, one.id}]
            except httpx.HTTPError as problem:
                raise StepFailed("Invalid cluster info") from problem
            if not clusters:
                raise StepFailed("The cluster is not available" if request.cluster_id else "No clusters found")
            rated = [recommendation(request, cluster) for cluster in clusters]
            found[:] = sorted(rated, key=lambda one: one["metrics"]["cost_per_million_tokens"])
            devices = sum(len(cluster.device_types()) for cluster in clusters)
            facts.update(total=devices, half=devices // 2, recommendations=len(found))

        return look


def recommendation(request: SimulationRequest, cluster: Cluster) -> dict[str, Any]:
    """Return how well a model would do on a cluster: within the targets, and the same whenever it is asked for."""
    quantized = _metrics(request, cluster, 1.6) if request.is_quantization else None
    return {
        "cluster_id": str(cluster.id),
        "metrics": _metrics(request, cluster, 1.0),
        "quantized_metrics": quantized,
        "engine_version": "0.10.1",
        "tool_calling_parser_type": "hermes",
        "reasoning_parser_type": None,
        "architecture_family": "LlamaForCausalLM",
        "chat_template": None,
        "supports_lora": True,
        "supports_pipeline_parallelism": True,
    }


def node_configurations(request: NodeConfigurationRequest, cluster: Cluster) -> dict[str, Any]:
    """Return the devices of the nodes by kind, each with the sizes that a model can be cut into."""
    nodes = [node for node in cluster.nodes if node.status and node.name in request.hostnames]
    kinds = sorted({device.type for node in nodes for device in node.devices})
    weight = round(2 + 14 * _share(request.model_uri or str(request.model_id)), 2)
    about = {"model_id": str(request.model_id), "model_name": None, "model_uri": request.model_uri}
    return {
        "object": "node_configurations",
        "cluster_id": str(request.cluster_id),
        "model_info": {**about, "estimated_weight_memory_gb": weight, "min_tp_for_model": 1},
        "device_configurations": [_devices(kind, nodes) for kind in kinds],
        "selected_nodes": [node.name for node in nodes],
        "hardware_mode": request.hardware_mode,
    }


def _devices(kind: str, nodes: list[Node]) -> dict[str, Any]:
    found = [device for node in nodes for device in node.devices if device.type == kind]
    counts = [sum(device.available_count for device in node.devices if device.type == kind) for node in nodes]
    total, most, having = sum(counts), max(counts, default=0), sum(count > 0 for count in counts)
    options = [
        {
            "tp_size": tp,
            "pp_size": pp,
            "max_replicas": total // (tp * pp),
            "total_devices_needed": tp * pp,
            "description": f"TP={tp}, PP={pp}",
        }
        for tp in (1, 2, 4, 8)
        for pp in range(1, having + 1)
        if tp <= most and tp * pp <= total
    ]
    return {
        "device_type": kind,
        "device_name": found[0].name,
        "device_model": found[0].name,
        "total_devices": total,
        "nodes_count": having,
        "max_devices_per_node": most,
        "memory_per_device_gb": found[0].mem_per_GPU_in_GB,
        "tp_pp_options": options,
        "min_tp_required": 1,
        "supports_pipeline_parallelism": True,
    }


def _metrics(request: SimulationRequest, cluster: Cluster, faster: float) -> dict[str, Any]:
    share = _share(f"{request.pretrained_model_uri} {cluster.id}")
    cost = round((0.2 + share) / faster, 4)
    devices = [
        {"device_type": kind, "num_replicas": 1, "concurrency": request.concurrency, "cost_per_million_tokens": cost}
        for kind in cluster.device_types()[:1]
    ]
    return {
        "device_types": devices,
        "replica": 1,
        "concurrency": request.concurrency,
        "ttft": round((request.target_ttft or 1000) * (0.5 + share / 2) / faster, 2),
        "throughput_per_user": round((request.target_throughput_per_user or 10) * (1 + share) * faster, 2),
        "e2e_latency": round((request.target_e2e_latency or 10) * (0.5 + share / 2) / faster, 2),
        "error_rate": round(0.1 * share, 4),
        "cost_per_million_tokens": cost,
    }


def _share(text: str) -> float:
    """Return a number from 0 to 1 that belongs to a text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) / 0xFFFF


def router(control: Control) -> APIRouter:
    """Return the routes of the contract."""
    peer = BudSim(control)
    routes = APIRouter(lifespan=peer.works.lifespan)
    routes.add_api_route("/simulator/run", peer.run, methods=["POST"])
    routes.add_api_route("/simulator/recommendations", peer.recommendations, methods=["GET"])
    routes.add_api_route("/simulator/node-configurations", peer.node_configurations, methods=["POST"])
    return routes
