"""The clusters that a simulation has found, each compared with what was asked for."""

from collections.abc import Sequence
from uuid import UUID

from budapp.cluster_ops import services as clusters
from budapp.cluster_ops.models import Cluster
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, release
from budapp.commons.errors import BadRequest
from budapp.deployment_ops.schemas import Benchmarks, ClusterOffer, ClusterResource, Label, Rated, RecommendedClusters
from budapp.integrations import budsim
from budapp.integrations.budsim import ClusterRecommendation, SimulationMetrics
from budapp.integrations.dapr import DaprClient
from budapp.integrations.peers import Json
from budapp.workflow_ops import services as workflows

_KINDS = ("CPU", "GPU", "HPU")


async def list_recommended(
    session: ReadSession, caller: Caller, dapr: DaprClient, workflow_id: UUID
) -> RecommendedClusters:
    """Return the clusters that can be used now; none yet where the simulation goes on.

    Raises:
        NotFound: no such workflow, or somebody else's.
        BadRequest: its steps do not describe a load, or no simulation was begun.
        PeerFailed, Unavailable: budsim.
    """
    data = (await workflows.find_run(session, caller, workflow_id)).data
    config = data.get("deploy_config")
    if not config or not data.get("bud_simulator_events"):
        raise BadRequest("The workflow's steps describe no load yet, or nobody has looked for clusters")
    if not data.get("simulator_id"):
        return RecommendedClusters(workflow_id=workflow_id, status="processing", clusters=[])
    await release(session)
    found = await budsim.recommendations(dapr, data["simulator_id"])
    named = [one.cluster_id for one in found]
    usable = {one.cluster_id: one for one in await clusters.available(session, caller.tenant_id, named)}
    offers = [_offer(one, usable[one.cluster_id], config) for one in found if one.cluster_id in usable]
    return RecommendedClusters(workflow_id=workflow_id, status="success", clusters=offers)


def _offer(found: ClusterRecommendation, cluster: Cluster, config: Json) -> ClusterOffer:
    resources = [_resource(cluster, kind) for kind in _KINDS if getattr(cluster, f"{kind.lower()}_total_workers")]
    total = sum(one.total for one in resources)
    return ClusterOffer.model_validate(
        {
            **found.model_dump(exclude={"metrics"}),
            "id": cluster.id,
            "name": cluster.name,
            "cost_per_token": found.metrics.cost_per_million_tokens,
            "total_resources": total,
            "resources_used": total - sum(one.available for one in resources),
            "resource_details": resources,
            "required_devices": [device.model_dump() for device in found.metrics.device_types],
            "benchmarks": _benchmarks(found.metrics, config),
        }
    )


def _resource(cluster: Cluster, kind: str) -> ClusterResource:
    name = kind.lower()
    total, available = (getattr(cluster, f"{name}_{of}_workers") for of in ("total", "available"))
    return ClusterResource.model_validate({"type": kind, "available": available, "total": total})


def _benchmarks(found: SimulationMetrics, config: Json) -> Benchmarks:
    return Benchmarks(
        replicas=found.replica,
        concurrency=Rated(label=label_of(found.concurrency, config["concurrent_requests"]), value=found.concurrency),
        ttft=_rated(found.ttft, config.get("ttft"), less_is_better=True),
        e2e_latency=_rated(found.e2e_latency, config.get("e2e_latency"), less_is_better=True),
        per_session_tokens_per_sec=_rated(found.throughput_per_user, config.get("per_session_tokens_per_sec")),
        over_all_throughput=_rated(found.throughput_per_user * found.concurrency, None),
    )


def _rated(value: float, wanted: Sequence[float] | None, *, less_is_better: bool = False) -> Rated:
    label = label_of(value, wanted, less_is_better=less_is_better) if wanted else None
    return Rated(label=label, value=round(value, 4))


def label_of(value: float, wanted: float | Sequence[float], *, less_is_better: bool = False) -> Label:
    """Return how a value compares with a range, or with the one number that was asked for."""
    range_ = wanted if isinstance(wanted, Sequence) else [wanted]
    if min(range_) <= value <= max(range_):
        return "Expected"
    return "Better" if (value > max(range_)) != less_is_better else "Worse"
