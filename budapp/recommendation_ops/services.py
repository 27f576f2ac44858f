"""Which cluster suits a model best: asked of budsim for one model after the other, and shown in lists of models."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from budapp.cluster_ops.models import Cluster
from budapp.commons.database import Database, ReadSession, now
from budapp.model_ops.schemas import RecommendationView, RecommendedClusterView
from budapp.recommendation_ops import crud, workflows
from budapp.recommendation_ops.models import RecommendedCluster
from budapp.workflow_ops.services import Workflows

_GOOD_FOR = timedelta(hours=24)
_AT_ONCE = 5


async def recommend(database: Database, flows: Workflows) -> None:
    """Begin to look for clusters for some of the models whose recommendation is a day old, or missing."""
    for _ in range(_AT_ONCE):
        async with database.write() as session:
            model = await crud.next_model(session, now() - _GOOD_FOR)
            if model is None:
                return
            model.recommended_cluster_sync_at = now()
            who = {"tenant_id": model.tenant_id, "user_id": model.created_by}
            data = {"model_id": str(model.id)}
            pending = await flows.start(session, workflows.RECOMMENDATION.type, data, **who)
        await flows.carry_out(pending)


async def recommended_clusters(session: ReadSession, model_ids: Collection[UUID]) -> dict[UUID, RecommendationView]:
    rows = await crud.of_models(session, model_ids)
    return {row.RecommendedCluster.model_id: _view(row.RecommendedCluster, row.Cluster) for row in rows}


def _view(found: RecommendedCluster, cluster: Cluster) -> RecommendationView:
    return RecommendationView(
        hardware_type=found.hardware_type,
        cost_per_million_tokens=found.cost_per_million_tokens,
        cluster=RecommendedClusterView.model_validate(cluster),
    )
