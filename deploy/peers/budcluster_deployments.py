"""The deployment half of the stand-in for budcluster: deployments, their workers and adapters, how they scale."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Query, Response, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from peers import deployment_flows as flows
from peers import served_models
from peers.clusters import Cluster, Clusters
from peers.control import Control
from peers.deployments import SUPPORTED, Deployment, Deployments, Status, Worker
from peers.envelope import Info, WorkAnswer, WorkRequest, error
from peers.flow import RESULTS
from peers.scaler import ScalerConfig
from peers.work import Order, StepFailed, Works


class DeploymentRequest(WorkRequest):
    """The body of `POST /deployment`."""

    cluster_id: UUID
    simulator_id: UUID | None = None
    endpoint_name: str
    model: str
    model_size: int | None = None
    storage_size_gb: float | None = None
    concurrency: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    model_max_context_length: int | None = None
    budaiscaler: ScalerConfig | dict[str, Any] | None = None
    user_id: UUID | None = None
    model_id: UUID | None = None
    benchmark_id: UUID | None = None
    nodes: list[dict[str, Any]] | None = None
    datasets: list[dict[str, Any]] | None = None
    is_performance_benchmark: bool = False
    hardware_mode: str | None = None
    selected_device_type: str | None = None
    tp_size: int | None = None
    pp_size: int | None = None
    replicas: int | None = None
    num_prompts: int | None = None
    hf_token: str | None = None
    target_ttft: int | None = None
    target_e2e_latency: int | None = None
    target_throughput_per_user: int | None = None
    credential_id: UUID | None = None
    existing_deployment_namespace: str | None = None
    provider: str | None = None
    enable_tool_calling: bool | None = None
    enable_reasoning: bool | None = None
    default_storage_class: str | None = None
    default_access_mode: str | None = None


class DeletionRequest(WorkRequest):
    """The body of `POST /deployment/delete`."""

    cluster_id: UUID
    namespace: str


class WorkerDeletionRequest(WorkRequest):
    """The body of `DELETE /deployment/worker-info`."""

    worker_id: UUID


class AdapterRequest(WorkRequest):
    """The body of `POST /deployment/deploy-adapter`."""

    cluster_id: UUID
    namespace: str
    adapters: list[dict[str, Any]]
    adapter_path: str
    adapter_name: str
    ingress_url: str
    endpoint_name: str
    action: Literal["add", "delete"]
    adapter_id: UUID | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    model_max_context_length: int | None = None


class ScalingRequest(BaseModel):
    """The body of `PUT /deployment/autoscale`."""

    cluster_id: UUID
    namespace: str
    release_name: str
    budaiscaler: ScalerConfig
    engine_type: str = "vllm"


class WorkerQuery(BaseModel):
    """The query of `GET /deployment/worker-info`."""

    cluster_id: UUID
    namespace: str
    refresh: bool = False
    page: int = Field(default=1, ge=1)
    limit: int = Field(default=10, ge=1)
    search: bool = False
    status: str | None = None
    hardware: str | None = None
    utilization_min: int | None = None
    utilization_max: int | None = None


class Known(BaseModel):
    """A deployment that is made known without deploying it."""

    namespace: str
    cluster_id: UUID
    endpoint_name: str = "chat"
    model: str = "model"
    concurrency: int = 10
    worker_ids: list[UUID] = Field(default_factory=lambda: [uuid4()])
    topics: list[str] = Field(default_factory=list, description="Where its status is told")


class Condition(BaseModel):
    """How a deployment is to be from now on."""

    status: Status
    reason: str | None = None


class BudClusterDeployments:
    """The routes."""

    def __init__(self, control: Control, works: Works, clusters: Clusters) -> None:
        self._control = control
        self._works = works
        self._clusters = clusters
        self.deployments = Deployments(works.sidecar, "budClusterMessages")

    async def deploy(self, request: DeploymentRequest) -> WorkAnswer:
        """Deploy a model, or add a worker to a deployment."""
        if request.existing_deployment_namespace:
            return self._add_worker(request, request.existing_deployment_namespace)
        deployment = Deployment(
            namespace=f"{request.endpoint_name[:40].strip('-')}-{uuid4().hex[:8]}",
            cluster_id=request.cluster_id,
            endpoint_name=request.endpoint_name,
            model=request.model,
            concurrency=request.concurrency,
            topics=request.topics()[:1],
            budaiscaler=_plain(request.budaiscaler),
        )

        async def install() -> None:
            cluster = await self._cluster(request.cluster_id)
            for _ in range(max(1, (deployment.budaiscaler or {}).get("minReplicas", 1))):
                deployment.add_worker(cluster, request.concurrency)
            self.deployments.by_namespace[deployment.namespace] = deployment

        deeds = {
            "verify_cluster_connection": self._verified(request.cluster_id),
            "deploy_to_engine": install,
            "verify_deployment_status": _doing(lambda: setattr(deployment, "status", "ready")),
            RESULTS: _doing(lambda: setattr(deployment, "confirmed", True)),
        }
        facts = {"name": request.endpoint_name, "model": request.model}

        def result(work_id: UUID) -> dict[str, Any]:
            return self._result(request, deployment, work_id)

        def undo() -> None:
            self.deployments.drop_work(answer.workflow_id)

        answer = self._works.start(Order(flows.DEPLOYMENT, request, result, facts, deeds, undo))
        deployment.work_id = answer.workflow_id
        return answer

    def _add_worker(self, request: DeploymentRequest, namespace: str) -> WorkAnswer:
        added: list[Worker] = []

        async def install() -> None:
            cluster = await self._cluster(request.cluster_id)
            deployment = self.deployments.require(namespace, request.cluster_id)
            deployment.add_worker(cluster, request.concurrency)
            deployment.concurrency += request.concurrency
            added.append(deployment.workers[-1])

        def result(work_id: UUID) -> dict[str, Any]:
            return self._result(request, self.deployments.require(namespace, request.cluster_id), work_id)

        def undo() -> None:
            deployment = self.deployments.find(namespace, request.cluster_id)
            for worker in added if deployment else []:
                assert deployment
                deployment.workers = [one for one in deployment.workers if one.id != worker.id]
                deployment.concurrency -= request.concurrency
            added.clear()

        verify = self._verified(request.cluster_id)
        deeds = {"verify_cluster_connection": verify, "deploy_to_engine": install, RESULTS: _doing(added.clear)}
        facts = {"name": request.endpoint_name, "model": request.model}
        return self._works.start(Order(flows.MORE_WORKERS, request, result, facts, deeds, undo))

    async def delete(self, request: DeletionRequest) -> WorkAnswer:
        """Delete a deployment; one that is not there is deleted already, and one made since of that name stays."""
        found = self.deployments.find(request.namespace, request.cluster_id)

        def drop() -> None:
            if found and self.deployments.by_namespace.get(request.namespace) is found:
                del self.deployments.by_namespace[request.namespace]

        deeds = {"delete_namespace": _doing(drop)}
        facts = {"namespace": request.namespace}
        return self._works.start(Order(flows.DELETION, request, _nothing, facts, deeds))

    async def workers(self, query: Annotated[WorkerQuery, Query()]) -> Response:
        """Return a page of a deployment's workers."""
        found = self.deployments.find(query.namespace, query.cluster_id)
        if found is None:
            return _not_found("Deployment not found")
        shown = [one for one in found.told_workers() if _matches(one, query)]
        part = shown[(query.page - 1) * query.limit : query.page * query.limit]
        about = {"object": "workers.list", "message": "Workers fetched", "page": query.page, "limit": query.limit}
        pages = {"total_record": len(shown), "total_pages": max(1, math.ceil(len(shown) / query.limit))}
        return JSONResponse({**about, **pages, "workers": part})

    async def worker(self, worker_id: UUID, reload: bool = False) -> Response:
        """Return a worker; what it says is always fresh."""
        del reload
        found = self.deployments.worker(worker_id)
        if found is None:
            return _not_found("Worker not found")
        told = next(one for one in found[0].told_workers() if one["id"] == str(worker_id))
        return JSONResponse({"object": "worker.get", "message": "Worker found", "worker": told})

    async def logs(self, worker_id: UUID) -> Response:
        """Return what a worker has written."""
        found = self.deployments.worker(worker_id)
        if found is None:
            return _not_found("Worker not found")
        return JSONResponse({"object": "worker.logs", "message": "Logs found", "logs": found[0].logs(found[1])})

    async def metrics(self, worker_id: UUID) -> Response:
        """Return what a worker uses."""
        found = self.deployments.worker(worker_id)
        if found is None:
            return _not_found("Worker not found")
        when, share = str(int(found[1].created_datetime.timestamp())), int(found[1].utilization)
        data = {"cpu_metrics": {when: share / 100}, "memory_usage": {when: share * 10_000_000}}
        return JSONResponse({"object": "worker.metrics", "message": "Metrics found", "data": data})

    async def delete_worker(self, request: WorkerDeletionRequest) -> WorkAnswer:
        """Delete a worker, but none of a deployment made known since."""
        found = self.deployments.worker(request.worker_id)
        name = found[1].name if found else ""

        def drop() -> None:
            here = self.deployments.worker(request.worker_id)
            if found is None or here is None or here[0] is not found[0]:
                raise StepFailed(f"Worker {request.worker_id} not found")
            deployment, worker = here
            deployment.workers = [one for one in deployment.workers if one.id != worker.id]
            deployment.concurrency = max(0, deployment.concurrency - worker.concurrency)

        def result(_work_id: UUID) -> dict[str, Any]:
            return {"worker_data_list": found[0].told_workers() if found else []}

        facts = {"worker_id": request.worker_id, "name": name}
        deeds = {"delete_worker": _doing(drop)}
        return self._works.start(Order(flows.WORKER_DELETION, request, result, facts, deeds))

    async def adapter(self, request: AdapterRequest) -> WorkAnswer:
        """Add an adapter to a deployment, or take it away."""
        facts = {"adapter": request.adapter_name}
        if request.action == "delete":
            return self._delete_adapter(request, facts)
        added: list[str] = []

        def load() -> None:
            self.deployments.require(request.namespace, request.cluster_id).adapters[request.adapter_name] = (
                request.adapter_path
            )
            added.append(request.adapter_name)

        def undo() -> None:
            deployment = self.deployments.find(request.namespace, request.cluster_id)
            for name in added if deployment else []:
                assert deployment
                deployment.adapters.pop(name, None)
            added.clear()

        def result(_work_id: UUID) -> dict[str, Any]:
            return {"adapter_status": True, "deployment_name": request.adapter_name}

        verify = self._verified(request.cluster_id)
        deeds = {"verify_cluster_connection": verify, "deploy_adapter": _doing(load), RESULTS: _doing(added.clear)}
        return self._works.start(Order(flows.ADAPTER, request, result, facts, deeds, undo))

    def _delete_adapter(self, request: AdapterRequest, facts: Mapping[str, object]) -> WorkAnswer:
        def drop() -> None:
            deployment = self.deployments.find(request.namespace, request.cluster_id)
            if deployment is not None:
                deployment.adapters.pop(request.adapter_name, None)

        def result(_work_id: UUID) -> dict[str, Any]:
            return {"adapter_id": str(request.adapter_id) if request.adapter_id else None}

        deeds = {"perform_delete_adapter": _doing(drop)}
        return self._works.start(Order(flows.ADAPTER_DELETION, request, result, facts, deeds))

    async def autoscale(self, request: ScalingRequest) -> Response:
        """Change how a deployment scales."""
        found = self.deployments.find(request.namespace, request.cluster_id)
        if found is None:
            return _not_found("Deployment not found")
        found.budaiscaler = request.budaiscaler.model_dump(mode="json")
        about = {"namespace": request.namespace, "release_name": request.release_name}
        enabled = request.budaiscaler.enabled
        told = {"object": "info", "message": "Autoscale configuration updated", "autoscale_enabled": enabled}
        return JSONResponse({**about, **told})

    async def tell_all(self) -> Info:
        """Tell how all deployments are, as budcluster does every few minutes."""
        for deployment in list(self.deployments.by_namespace.values()):
            if deployment.confirmed:
                await self.deployments.tell_status(deployment)
        return Info(message="Deployment status updates sent")

    def cancel(self, work_id: UUID) -> bool:
        """End work, and take away what it has made; return whether there was something."""
        made = self.deployments.drop_work(work_id)
        return self._works.cancel(work_id) or made

    async def list_all(self, contains: str = "") -> list[Deployment]:
        """Return the deployments that there are."""
        return [one for one in self.deployments.by_namespace.values() if contains in one.model_dump_json()]

    async def make_known(self, known: Known) -> Deployment:
        """Put a deployment in that nobody has asked for; it runs."""
        made = Deployment(**known.model_dump(exclude={"worker_ids"}), status="ready", confirmed=True)
        for worker_id in known.worker_ids:
            made.add_worker(Cluster(id=known.cluster_id), known.concurrency)
            made.workers[-1].id = worker_id
        self.deployments.by_namespace[made.namespace] = made
        return made

    async def set_condition(self, namespace: str, condition: Condition) -> Deployment:
        """Make a deployment ill, or well; it is told with the next status event."""
        found = self._known(namespace)
        found.status, found.reason = condition.status, condition.reason
        return found

    async def tell_one(self, namespace: str) -> Deployment:
        """Tell how a deployment is, at once."""
        found = self._known(namespace)
        await self.deployments.tell_status(found)
        return found

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Tell how deployments are, time and again."""
        telling = asyncio.create_task(self._tell_for_ever())
        yield
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

    async def _tell_for_ever(self) -> None:
        settings = self._control.settings
        while settings.peers_status_seconds > 0:
            await asyncio.sleep(settings.peers_deployment_status_seconds)
            with contextlib.suppress(httpx.HTTPError):
                await self.tell_all()

    def _known(self, namespace: str) -> Deployment:
        found = self.deployments.find(namespace)
        if found is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "No such deployment")
        return found

    def _verified(self, cluster_id: UUID) -> Any:
        async def verify() -> None:
            await self._cluster(cluster_id)

        return verify

    async def _cluster(self, cluster_id: UUID) -> Cluster:
        try:
            found = await self._clusters.find(cluster_id)
        except httpx.HTTPError as problem:
            raise StepFailed("The list of clusters cannot be read") from problem
        if found is None:
            raise StepFailed("Cluster not found")
        return found

    def _result(self, request: DeploymentRequest, deployment: Deployment, work_id: UUID) -> dict[str, Any]:
        workers = deployment.told_workers()
        nodes = list(dict.fromkeys(worker["node_name"] for worker in workers))
        url = f"http://127.0.0.1:{self._control.settings.peer_port}/served/{deployment.namespace}"
        measured = {"deployment_url": url, "concurrency": request.concurrency, "duration": 30.0}
        targets = {name: getattr(request, name) for name in ("target_ttft", "target_e2e_latency")}
        targets["target_throughput_per_user"] = request.target_throughput_per_user
        return {
            "result": {**measured, **targets, "successful_requests": 100, "benchmark_status": True},
            "performance_status": True,
            "benchmark_status": True,
            "workflow_id": str(work_id),
            "cluster_id": str(deployment.cluster_id),
            "simulator_id": str(request.simulator_id) if request.simulator_id else None,
            "namespace": deployment.namespace,
            "deployment_status": {
                "status": deployment.status,
                "replicas": {"total": len(workers), "available": len(workers)},
                "worker_data_list": workers,
                "supported_endpoints": SUPPORTED,
            },
            "number_of_nodes": len(nodes),
            "credential_id": str(request.credential_id) if request.credential_id else None,
            "deploy_config": [{"name": node, "engine_type": "vllm"} for node in nodes],
            "bud_cluster_benchmark_id": None,
            "supported_endpoints": [path for path, served in SUPPORTED.items() if served],
        }


def _nothing(_work_id: UUID) -> dict[str, Any] | None:
    return None


def _doing(function: Any) -> Any:
    """Return the deed of calling a function that does not wait."""

    async def run() -> None:
        function()

    return run


def _plain(scaler: ScalerConfig | dict[str, Any] | None) -> dict[str, Any] | None:
    return scaler.model_dump(mode="json") if isinstance(scaler, ScalerConfig) else scaler


def _matches(worker: dict[str, Any], query: WorkerQuery) -> bool:
    share = int(worker["utilization"])
    least, most = query.utilization_min or 0, 100 if query.utilization_max is None else query.utilization_max
    same = all(
        wanted is None or wanted.lower() == str(worker[name]).lower()
        for name, wanted in (("status", query.status), ("hardware", query.hardware))
    )
    return same and least <= share <= most


def _not_found(message: str) -> Response:
    return JSONResponse(error(message, "NotFound"), status.HTTP_404_NOT_FOUND)


def router(peer: BudClusterDeployments) -> APIRouter:
    """Return the routes of the contract, those that show and change deployments, and the served models."""
    routes = APIRouter(lifespan=peer.lifespan)
    for path, function, method in (
        ("", peer.deploy, "POST"),
        ("/delete", peer.delete, "POST"),
        ("/worker-info", peer.workers, "GET"),
        ("/worker-info", peer.delete_worker, "DELETE"),
        ("/worker-info/{worker_id}", peer.worker, "GET"),
        ("/worker-info/{worker_id}/logs", peer.logs, "GET"),
        ("/worker-info/{worker_id}/metrics", peer.metrics, "GET"),
        ("/deploy-adapter", peer.adapter, "POST"),
        ("/autoscale", peer.autoscale, "PUT"),
        ("/periodic-deployment-status-update", peer.tell_all, "POST"),
    ):
        routes.add_api_route(f"/deployment{path}", function, methods=[method])
    control = "/control/deployments"
    routes.add_api_route(control, peer.list_all, methods=["GET"], tags=["control"])
    routes.add_api_route(control, peer.make_known, methods=["POST"], tags=["control"])
    routes.add_api_route(control + "/{namespace}", peer.set_condition, methods=["PUT"], tags=["control"])
    routes.add_api_route(control + "/{namespace}/status", peer.tell_one, methods=["POST"], tags=["control"])
    routes.include_router(served_models.router(peer.deployments))
    return routes
