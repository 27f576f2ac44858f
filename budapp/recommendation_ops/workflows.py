"""How the cluster that suits a model best is found: budsim simulates a usual load."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.cluster_ops import services as clusters
from budapp.cluster_ops.models import Cluster
from budapp.cluster_ops.simulation import simulation_events
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import NotFound
from budapp.commons.scopes import Scope
from budapp.integrations import budsim
from budapp.integrations.budsim import ClusterRecommendation, SimulationResult
from budapp.integrations.peers import PeerCall
from budapp.model_ops import services as models
from budapp.model_ops.models import Model
from budapp.provider_ops.models import ProviderType
from budapp.recommendation_ops import crud
from budapp.recommendation_ops.models import RecommendedCluster
from budapp.recommendation_ops.step_views import RecommendationSteps
from budapp.workflow_ops.definitions import Definition, Outcome, Run, Task

_LOAD = {"input_tokens": 1024, "output_tokens": 128, "concurrency": 10}
# Milliseconds to the first token, tokens a second for each user, seconds to the last token.
_TARGETS = {"target_ttft": 1000, "target_throughput_per_user": 7, "target_e2e_latency": 10}


async def _model(session: ReadSession, run: Run) -> Model:
    model = await models.find_model(session, run.workflow.tenant_id, UUID(run.data["model_id"]))
    if model is None:
        raise NotFound("The model was deleted in the meantime")
    return model


async def _ask(session: ReadSession, run: Run) -> PeerCall:
    model = await _model(session, run)
    in_cloud = model.provider_type == ProviderType.CLOUD_MODEL
    targets = dict.fromkeys(_TARGETS, 0) if in_cloud else _TARGETS
    uri = model.uri if in_cloud else model.local_path
    return budsim.run_simulation(model_uri=uri, proprietary=in_cloud, **_LOAD, **targets)


async def _keep(session: WriteSession, run: Run, result: Any) -> Outcome:
    """Keep the best of the tenant's own clusters, in place of the one before."""
    recommended = SimulationResult.model_validate(result).recommendations
    model = await _model(session, run)
    named = [one.cluster_id for one in recommended]
    usable = {cluster.cluster_id: cluster for cluster in await clusters.available(session, model.tenant_id, named)}
    best = next((one for one in recommended if one.cluster_id in usable), None)
    found = await crud.of_model(session, model.id)
    if best is None:
        if found is not None:
            await session.delete(found)
        return Outcome()
    if found is None:
        found = RecommendedCluster(id=uuid7(), tenant_id=model.tenant_id, model_id=model.id)
        session.add(found)
    _describe(found, best, usable[best.cluster_id])
    return Outcome()


def _describe(found: RecommendedCluster, best: ClusterRecommendation, cluster: Cluster) -> None:
    found.cluster_id = cluster.id
    found.hardware_type = list(dict.fromkeys(device.device_type.lower() for device in best.metrics.device_types))
    found.cost_per_million_tokens = best.metrics.cost_per_million_tokens


RECOMMENDATION = Definition(
    type="cluster_recommendation",
    scope=Scope.MODEL_MANAGE,
    title="Cluster recommendation",
    tag="Model Repository",
    keeps_draft=False,
    tells_failures=False,
    fields=("model_id",),
    shows=RecommendationSteps,
    name_objects=models.name_objects,
    tasks=(
        Task(
            needs=("model_id",),
            request=_ask,
            results=_keep,
            events=simulation_events(in_same_step=True),
        ),
    ),
)
