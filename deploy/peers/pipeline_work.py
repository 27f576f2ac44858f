"""The actions of pipelines that have budapp work, in the stand-in for budpipeline.

budapp is asked in the name of whoever started the execution. Where work goes on after its answer, the step waits for
what is told on `TOPIC`: budapp says how a workflow has ended, the services that it asks say what they have found.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from peers.sidecar import Refused, Sidecar

Fields = dict[str, Any]

TOPIC = "budpipelineEvents"
_WORKFLOWS_KEPT = 1000
_WAIT_SECONDS = 86_400
_TRIES = 50
_PAUSE_SECONDS = 0.2

_OF_DEPLOYMENT = (
    *("credential_id", "hardware_mode", "enable_tool_calling", "enable_reasoning", "tool_calling_parser_type"),
    *("reasoning_parser_type", "chat_template", "supports_lora", "supports_pipeline_parallelism"),
    *("budaiscaler_specification", "simulator_id"),
)
_LOAD = {"concurrent_requests": 1, "avg_sequence_length": 128, "avg_context_length": 1024}
_TARGETS = ("ttft", "per_session_tokens_per_sec", "e2e_latency")


class ActionFailed(Exception):
    """The action can't be done; the message says why."""


class Told:
    """What was told of workflows on the topic; those of which something was told last are remembered."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, list[Fields]] = OrderedDict()
        self._news = asyncio.Condition()

    async def take(self, event: Fields) -> None:
        """Note an event, and wake up who waits for it."""
        payload = event.get("payload") or {}
        workflow_id = str(event.get("workflow_id") or payload.get("workflow_id"))
        async with self._news:
            self._events.setdefault(workflow_id, []).append(payload or event)
            self._events.move_to_end(workflow_id)
            while len(self._events) > _WORKFLOWS_KEPT:
                self._events.popitem(last=False)
            self._news.notify_all()

    async def first(self, workflow_id: str, wanted: Callable[[Fields], bool], seconds: float) -> Fields:
        """Return the first event of a workflow that is wanted, told or still to be told.

        Raises:
            ActionFailed: there is none in time.
        """
        try:
            async with asyncio.timeout(seconds), self._news:
                while True:
                    for event in self._events.get(workflow_id, ()):
                        if wanted(event):
                            return event
                    await self._news.wait()
        except TimeoutError as late:
            raise ActionFailed(f"Nothing was heard of workflow {workflow_id} for {seconds:g} s") from late


@dataclass
class Work:
    """The work of one step at budapp.

    Attributes:
        awaits: is told which workflow the step waits for.
    """

    sidecar: Sidecar
    told: Told
    params: Fields
    user_id: str | None
    awaits: Callable[[str], None]

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Fields:
        """Return budapp's answer, or raise `ActionFailed`."""
        params = {**query, **({"user_id": self.user_id} if self.user_id else {})}
        try:
            return await self.sidecar.ask_budapp(method, path, body, params=params)
        except Refused as reason:
            raise ActionFailed(str(reason)) from reason

    async def trigger(self, path: str, body: Fields) -> Fields:
        """Post all that a workflow has to be told in its only step, and have it begin."""
        steps = {"workflow_total_steps": 1, "step_number": 1, "trigger_workflow": True, "callback_topic": TOPIC}
        return await self.ask("POST", path, {**steps, **body})

    async def end(self, workflow_id: str) -> Fields:
        """Wait for the end of a workflow, and return its result; a failed one raises `ActionFailed`."""
        event = await self._heard(workflow_id, _is_end)
        if event.get("status") != "COMPLETED":
            raise ActionFailed(str(event.get("reason") or "The workflow has failed"))
        return {"workflow_id": workflow_id, "status": "completed", **(event.get("result") or {})}

    async def simulated(self, workflow_id: str) -> None:
        """Wait for the clusters that budsim finds; a workflow that has failed before raises `ActionFailed`."""
        event = await self._heard(workflow_id, lambda told: _is_end(told) or _is_simulation(told))
        if _is_end(event):
            await self.end(workflow_id)

    async def _heard(self, workflow_id: str, wanted: Callable[[Fields], bool]) -> Fields:
        self.awaits(workflow_id)
        return await self.told.first(workflow_id, wanted, float(self.params.get("max_wait_seconds") or _WAIT_SECONDS))

    async def cluster(self) -> Fields:
        """Return the cluster that the parameters name by budapp's id or by budcluster's."""
        given = str(self.params.get("cluster_id"))
        found = (await self.ask("GET", "clusters/clusters", limit=100))["clusters"]
        for one in found:
            if given in {str(one["id"]), str(one["cluster_id"])}:
                return dict(one)
        raise ActionFailed(f"Cluster not found: {given}")

    async def in_cloud(self) -> bool:
        """Tell whether the model is one of a cloud."""
        model = (await self.ask("GET", f"models/{self.params['model_id']}"))["model"]
        return bool(model["provider_type"] == "cloud_model")


async def add_model(work: Work) -> Fields:
    """Bring a model into the repository."""
    params = work.params
    source = params.get("model_source") or "hugging_face"
    body: Fields = {"provider_type": source, "name": params.get("model_name"), "uri": params.get("model_uri")}
    if source == "cloud_model":
        offer = {name: params.get(name) for name in ("provider_id", "cloud_model_id")}
        modality = params.get("modality") or ["text_input", "text_output"]
        answer = await work.trigger("models/cloud-model-workflow", {**body, **offer, "tags": [], "modality": modality})
        found = {"workflow_id": answer["workflow_id"], "model_id": answer["workflow_steps"]["model_id"]}
        return {**found, "status": answer["status"], "model_name": body["name"]}
    body |= {"author": params.get("author"), "proprietary_credential_id": params.get("credential_id")}
    answer = await work.trigger("models/local-model-workflow", body)
    return {**await work.end(str(answer["workflow_id"])), "model_name": body["name"]}


async def delete_model(work: Work) -> Fields:
    """Delete a model."""
    force = str(bool(work.params.get("force"))).lower()
    await work.ask("DELETE", f"models/{work.params['model_id']}", force=force)
    return {"status": "deleted", "model_id": work.params["model_id"]}


async def deploy(work: Work) -> Fields:
    """Deploy a model: one of a cloud at once, another on the cluster, after a simulation unless one is named."""
    params, path = work.params, "models/deploy-workflow"
    body: Fields = {name: params.get(name) for name in ("model_id", "project_id", "endpoint_name")}
    body |= {name: params[name] for name in _OF_DEPLOYMENT if params.get(name) is not None}
    body["deploy_config"] = _load(params)
    if await work.in_cloud():
        answer = await work.trigger(path, body)
        told = answer.get("progress") or {}
        made = {"endpoint_id": told.get("endpoint_id"), "url": told.get("url") or told.get("endpoint_url")}
        return {"workflow_id": answer["workflow_id"], "status": answer["status"], **made}
    body["cluster_id"] = (await work.cluster())["cluster_id"]
    if "simulator_id" in body:
        return await work.end(str((await work.trigger(path, body))["workflow_id"]))
    first = {"workflow_total_steps": 4, "step_number": 1, "callback_topic": TOPIC, **body}
    workflow_id = str((await work.ask("POST", path, first))["workflow_id"])
    await work.simulated(workflow_id)
    await _when_taken(work, path, {"workflow_id": workflow_id, "step_number": 4, "trigger_workflow": True})
    return await work.end(workflow_id)


async def _when_taken(work: Work, path: str, body: Fields) -> None:
    """Post a step, once budapp has taken what was told on its topic too: it refuses until then."""
    for attempt in range(_TRIES):
        try:
            await work.ask("POST", path, body)
        except ActionFailed:
            if attempt == _TRIES - 1:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


async def delete_deployment(work: Work) -> Fields:
    """Delete a deployment."""
    body = {"callback_topic": TOPIC, "force": bool(work.params.get("force"))}
    answer = await work.ask("POST", f"endpoints/{work.params['endpoint_id']}/delete-workflow", body)
    return await work.end(str(answer["workflow_id"]))


async def benchmark(work: Work) -> Fields:
    """Measure a model on machines of a cluster, in the first way in which it fits there."""
    params, cluster = work.params, await work.cluster()
    going_in, coming_out = int(params.get("max_input_tokens") or 1024), int(params.get("max_output_tokens") or 128)
    concurrency = int(params.get("concurrent_requests") or 1)
    mode = params.get("hardware_mode") or "dedicated"
    about = {"model_id": params["model_id"], "cluster_id": cluster["id"], "hardware_mode": mode}
    hosts = list(params.get("hostnames") or ())
    load = {"input_tokens": going_in, "output_tokens": coming_out, "concurrency": concurrency}
    fits = await work.ask("POST", "benchmark/node-configurations", {**about, "hostnames": hosts, **load})
    if not fits["device_configurations"]:
        raise ActionFailed("The model fits on none of the machines")
    device = fits["device_configurations"][0]
    spread = device["tp_pp_options"][0]
    name = str(params.get("name") or "Benchmark")
    body = {
        **about,
        "bud_cluster_id": cluster["cluster_id"],
        "nodes": [{"hostname": host} for host in hosts],
        "name": name,
        "tags": params.get("tags") or [{"name": "pipeline", "color": "#965CDE"}],
        "description": params.get("description") or name,
        "eval_with": "configuration",
        "concurrent_requests": concurrency,
        "max_input_tokens": going_in,
        "max_output_tokens": coming_out,
        "selected_device_type": device["device_type"],
        "tp_size": spread["tp_size"],
        "pp_size": spread["pp_size"],
        "replicas": 1,
        "num_prompts": int(params.get("num_prompts") or 10),
        "user_confirmation": True,
        "run_as_simulation": False,
    }
    answer = await work.trigger("benchmark/run-workflow", body)
    return await work.end(str(answer["workflow_id"]))


async def scale(work: Work) -> Fields:
    """Change how a deployment scales by itself; what is not said stays."""
    path = f"endpoints/{work.params['endpoint_id']}/autoscale"
    known = (await work.ask("GET", path)).get("budaiscaler_config") or {}
    wanted = {**known, **(work.params.get("budaiscaler_specification") or {})}
    await work.ask("PUT", path, {"budaiscaler_specification": wanted})
    return {"endpoint_id": work.params["endpoint_id"]}


async def limit_rates(work: Work) -> Fields:
    """Limit how often a deployment may be called."""
    names = ("algorithm", "requests_per_second", "requests_per_minute", "requests_per_hour", "burst_size")
    limits = {name: work.params[name] for name in names if work.params.get(name) is not None}
    path = f"endpoints/{work.params['endpoint_id']}/deployment-settings"
    await work.ask("PUT", path, {"rate_limits": {"algorithm": "token_bucket", "enabled": True, **limits}})
    return {"endpoint_id": work.params["endpoint_id"]}


def _load(params: Fields) -> Fields:
    """Return what the deployment has to bear, said as `deploy_config` or by single parameters."""
    said: Fields = params.get("deploy_config") or params
    load = {name: said.get(name) or usual for name, usual in _LOAD.items()}
    return {**load, **{name: said[name] for name in _TARGETS if said.get(name)}}


def _is_end(event: Fields) -> bool:
    return event.get("type") == "workflow_completed"


def _is_simulation(event: Fields) -> bool:
    return event.get("type") == "get_cluster_recommendations" and event.get("event") == "results"


ACTIONS: dict[str, Callable[[Work], Awaitable[Fields]]] = {
    "model_add": add_model,
    "model_delete": delete_model,
    "model_benchmark": benchmark,
    "deployment_create": deploy,
    "deployment_delete": delete_deployment,
    "deployment_autoscale": scale,
    "deployment_ratelimit": limit_rates,
}
"""By the action of the step; each returns what the step puts out, or raises `ActionFailed`."""
