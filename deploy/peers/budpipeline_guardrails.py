"""What the steps of guardrails' pipelines put out, in the stand-in for budpipeline.

A simulation finds the clusters that budcluster's and budsim's stand-ins know of, with figures made up likewise. For
users whose work is pretended, a model is said to be brought in, or deployed.
"""

import importlib
from typing import Any

import httpx

from peers.budsim import SimulationRequest, recommendation
from peers.clusters import Cluster
from peers.settings import PeerSettings

Fields = dict[str, Any]

_KEY = "cluster_info"
_SECONDS = 5


def simulated(params: Fields) -> Fields:
    """Return the clusters that suit a model, the cheapest first; the step has failed where there are none."""
    request = SimulationRequest(
        pretrained_model_uri=str(params.get("model_id")),
        is_proprietary_model=False,
        input_tokens=int(params.get("input_tokens") or 0),
        output_tokens=int(params.get("output_tokens") or 0),
        concurrency=int(params.get("concurrency") or 1),
        target_ttft=float(params.get("target_ttft") or 1000),
        target_throughput_per_user=float(params.get("target_throughput_per_user") or 10),
        target_e2e_latency=float(params.get("target_e2e_latency") or 10),
    )
    found = [recommendation(request, cluster) for cluster in _clusters()]
    ordered = sorted(found, key=lambda one: one["metrics"]["cost_per_million_tokens"])
    return {"success": bool(ordered), "recommendations": ordered}


def onboarded(params: Fields) -> Fields:
    """Return what a step says that has brought a model in."""
    return {"success": True, "model_name": params.get("model_name"), "model_uri": params.get("model_uri")}


def deployed(params: Fields) -> Fields:
    """Return what a step says that has deployed a model."""
    return {"success": True, "endpoint_name": params.get("endpoint_name"), "model_id": params.get("model_id")}


OUTPUTS = {"simulation_run": simulated, "model_add": onboarded, "deployment_create": deployed}
"""By the action of the step."""


def extend() -> None:
    """Have the stand-in's pipelines put this out."""
    importlib.import_module("peers.pipeline_runs").OUTPUTS.update(OUTPUTS)


def _clusters() -> list[Cluster]:
    settings = PeerSettings()
    address = f"http://127.0.0.1:{settings.dapr_http_port}/v1.0/state/{settings.statestore_name}/{_KEY}"
    headers = {"dapr-api-token": settings.dapr_api_token.get_secret_value()}
    answer = httpx.get(address, headers=headers, timeout=_SECONDS, trust_env=False)
    return [Cluster.model_validate(one) for one in (answer.json() if answer.content else [])]
