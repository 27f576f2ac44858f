"""The stand-in for budcluster: clusters, and what quantization asks of it; deployments have modules of their own."""

from typing import Any
from uuid import UUID

import httpx
from fastapi import APIRouter, Response, status
from fastapi.responses import JSONResponse

from peers import benchmarks, budcluster_clusters, budcluster_deployments, model_facts
from peers.budcluster_deployments import BudClusterDeployments
from peers.clusters import Cluster, Clusters
from peers.control import Control
from peers.envelope import Info, WorkAnswer, WorkRequest, error
from peers.flow import RESULTS, Flow, Step
from peers.model_files import ModelFiles
from peers.work import Deed, Order, StepFailed, Works, blocking


class QuantizationRequest(WorkRequest):
    """The body of `POST /deployment/deploy-quantization`."""

    cluster_id: UUID
    simulator_id: UUID
    model: str
    model_size: int
    device_type: str
    quantization_name: str
    quantization_config: dict[str, Any]
    hf_token: str | None = None
    platform: str | None = None
    cluster_config: dict[str, Any] | None = None
    simulator_config: list[dict[str, Any]] | None = None
    namespace: str | None = None


QUANTIZATION = Flow(
    type="deploy_quantization",
    minutes=12,
    steps=(
        Step(
            id="verify_cluster_connection",
            title="Verifying cluster connection",
            description="Check that the cluster can be reached",
            completed=("Cluster connection verification successful", "The cluster can be reached"),
            failed=("Cluster connection verification failed", "{error}"),
        ),
        Step(
            id="transfer_model_to_cluster",
            title="Transferring model to cluster",
            description="Copy the files of the model to the cluster",
            completed=("Model transfer successful", "Transferred {model} to the cluster"),
            failed=("Model transfer failed", "{error}"),
        ),
        Step(
            id="deploy_quantization_job",
            title="Deploying quantization job",
            description="Start the job in the cluster",
            completed=("Quantization job deployment successful", "The job {name} is deployed"),
            failed=("Quantization job deployment failed", "{error}"),
        ),
        Step(
            id="running_quantization",
            title="Quantizing the model",
            description="Make the weights smaller",
            completed=("Quantization completed", "Quantization completed"),
            failed=("Quantization failed", "{error}"),
        ),
        Step(
            id="run_evaluation",
            title="Running evaluation",
            description="Compare the quantized model with the original",
            running=("Quantization evaluation completed", "Quantization evaluation completed"),
            completed=("Quantization evaluation completed", "Quantization evaluation completed"),
            failed=("Quantization evaluation failed", "{error}"),
        ),
        # budcluster names this step, and sends no event when it goes well.
        Step(
            id="upload_model_to_registry",
            title="Saving model",
            description="Store the quantized model",
            failed=("Saving model failed", "{error}"),
        ),
    ),
    results=("Quantization job completed", "Quantization job completed successfully"),
)


class BudCluster:
    """The routes."""

    def __init__(self, control: Control) -> None:
        self.works = Works(control, topic="budClusterMessages")
        self.clusters = Clusters(self.works.sidecar)
        self._files = ModelFiles(control.settings)
        self.running = BudClusterDeployments(control, self.works, self.clusters)

    async def quantize(self, request: QuantizationRequest) -> WorkAnswer:
        """Quantize a model in a cluster, and store what comes of it."""
        path = model_facts.local_path(request.quantization_name, request.model)

        def result(_workflow_id: UUID) -> dict[str, Any]:
            return {"model_path": path, "quantization_data": quantization_data(request)}

        save = blocking(self._files.save, path, model_facts.model_info(request.model))
        deeds = {"verify_cluster_connection": self._check(request.cluster_id), RESULTS: save}
        facts = {"model": request.model, "name": request.quantization_name}
        return self.works.start(Order(QUANTIZATION, request, result, facts, deeds))

    async def cancel(self, workflow_id: UUID) -> Response:
        """End work; nothing more is told of it."""
        if self.running.cancel(workflow_id):
            return JSONResponse(Info(message="Deployment cancelled successfully").model_dump())
        return JSONResponse(error("There is no such work under way", "NotFound"), status.HTTP_404_NOT_FOUND)

    async def list_clusters(self) -> list[Cluster]:
        """Return the clusters that there are."""
        return await self.clusters.all()

    async def add_cluster(self, cluster: Cluster) -> Cluster:
        """Make a cluster known without registering it."""
        await self.clusters.add(cluster)
        return cluster

    async def remove_cluster(self, cluster_id: UUID) -> None:
        """Forget a cluster."""
        await self.clusters.remove(cluster_id)
        self.running.deployments.drop_cluster(cluster_id)

    def _check(self, cluster_id: UUID) -> Deed:
        async def check() -> None:
            try:
                found = await self.clusters.find(cluster_id)
            except httpx.HTTPError as problem:
                raise StepFailed("The list of clusters cannot be read") from problem
            if found is None:
                raise StepFailed("Cluster not found")

        return check


def quantization_data(request: QuantizationRequest) -> dict[str, Any]:
    """Return what is measured of a quantized model, the same whenever it is asked for."""
    weights = request.quantization_config.get("weight") or {}
    bits = weights.get("bit") if isinstance(weights, dict) else None
    share = (bits if isinstance(bits, int) and bits > 0 else 8) / 16
    return {
        "method": request.quantization_name,
        "device_type": request.device_type,
        "original_size": request.model_size,
        "quantized_size": round(request.model_size * share),
        "perplexity": {"original": 6.2, "quantized": round(6.2 * (1.08 - 0.08 * share), 3)},
        "accuracy": {"original": 0.71, "quantized": round(0.71 * (0.96 + 0.04 * share), 3)},
    }


def router(control: Control) -> APIRouter:
    """Return the routes of the contract, and those that make clusters known."""
    peer = BudCluster(control)
    routes = APIRouter(lifespan=peer.works.lifespan)
    routes.include_router(budcluster_clusters.router(control, peer.works))
    routes.include_router(budcluster_deployments.router(peer.running))
    routes.include_router(benchmarks.router(peer.works, peer.clusters))
    routes.add_api_route("/deployment/deploy-quantization", peer.quantize, methods=["POST"])
    routes.add_api_route("/deployment/cancel/{workflow_id}", peer.cancel, methods=["POST"])
    routes.add_api_route("/control/clusters", peer.list_clusters, methods=["GET"], tags=["control"])
    routes.add_api_route("/control/clusters", peer.add_cluster, methods=["POST"], tags=["control"])
    gone = status.HTTP_204_NO_CONTENT
    forget = "/control/clusters/{cluster_id}"
    routes.add_api_route(forget, peer.remove_cluster, methods=["DELETE"], status_code=gone, tags=["control"])
    return routes
