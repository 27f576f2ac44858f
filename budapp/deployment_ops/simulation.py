"""What budsim is asked about a load, and what is kept of its answer, by each workflow that looks for clusters."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from budapp.cluster_ops import services as clusters
from budapp.commons.database import WriteSession
from budapp.integrations import budsim
from budapp.integrations.budsim import SimulationResult
from budapp.integrations.peers import Json, PeerCall
from budapp.model_ops.models import Model
from budapp.workflow_ops.definitions import Notice, Outcome, Run

KEPT = "cluster_costs"
"""The name among a workflow's steps of what each cluster costs for a million tokens."""


def targets_of(config: Json) -> dict[str, int]:
    """Return what is asked for at least: the end of each range that is harder to reach, 0 where none was said."""
    return {
        "target_ttft": min(config.get("ttft") or [0]),
        "target_throughput_per_user": max(config.get("per_session_tokens_per_sec") or [0]),
        "target_e2e_latency": min(config.get("e2e_latency") or [0]),
    }


def context_length(model: Model) -> int | None:
    """Return how many tokens the model takes at most, where that is known."""
    found = (model.architecture_text_config or {}).get("context_length")
    return found if isinstance(found, int) else None


def ask_for_clusters(model: Model, config: Json, hardware_mode: str | None, cluster_id: UUID | None = None) -> PeerCall:
    """Return the call that simulates the load for the model, on each cluster or on one."""
    more: Json = {"cluster_id": str(cluster_id) if cluster_id else None}
    more["model_max_context_length"] = context_length(model)
    return budsim.run_simulation(
        model_uri=model.local_path,
        proprietary=False,
        input_tokens=config["avg_context_length"],
        output_tokens=config["avg_sequence_length"],
        concurrency=config["concurrent_requests"],
        hardware_mode=hardware_mode or "dedicated",
        model_endpoints=",".join(model.supported_endpoints) or None,
        **targets_of(config),
        **{name: value for name, value in more.items() if value is not None},
    )


async def keep_clusters(session: WriteSession, run: Run, result: Any, **here: Any) -> Outcome:
    """Keep the simulation's id and what each cluster costs, and tell how many clusters there are."""
    simulation = SimulationResult.model_validate(result)
    named = [one.cluster_id for one in simulation.recommendations]
    count = len(await clusters.available(session, run.workflow.tenant_id, named))
    counted = {"recommended_cluster_count": count}
    run.workflow.progress = {**(run.workflow.progress or {}), **counted}
    kept = {
        "simulator_id": str(simulation.workflow_id),
        "bud_simulator_events": {**run.data["bud_simulator_events"], **counted},
        KEPT: {str(one.cluster_id): str(one.metrics.cost_per_million_tokens) for one in simulation.recommendations},
    }
    message = f"Found Top {count} Clusters" if count else "Clusters Not Found"
    workflow = run.workflow
    notice = Notice(
        "recommended_cluster_success", workflow.title or "", message, ("workflow", workflow.id), workflow.icon
    )
    return Outcome([{}], notice, here={**kept, **here})


def cost_on(data: Json, cluster_id: str) -> Decimal | None:
    """Return what a million tokens cost on the cluster, where a simulation of the workflow has said so."""
    found = (data.get(KEPT) or {}).get(cluster_id)
    return Decimal(found) if found is not None else None
