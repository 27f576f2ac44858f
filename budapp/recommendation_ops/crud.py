from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, any_, bindparam, delete, select

from budapp.cluster_ops.models import Cluster, ClusterStatus
from budapp.commons.crud import Prepared
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.isolation import is_due
from budapp.model_ops.models import Model, lacks_recommendation
from budapp.recommendation_ops.models import RecommendedCluster

_WORKERS = [getattr(Cluster, f"{kind}_{of}_workers") for kind in ("cpu", "gpu", "hpu") for of in ("total", "available")]
_OF_MODELS = Prepared(
    select(
        RecommendedCluster.model_id,
        RecommendedCluster.hardware_type,
        RecommendedCluster.cost_per_million_tokens,
        Cluster.name,
        *_WORKERS,
    )
    .join(Cluster, Cluster.id == RecommendedCluster.cluster_id)
    .where(
        RecommendedCluster.model_id == any_(bindparam("model_ids", type_=ARRAY(Uuid()))),
        Cluster.status != ClusterStatus.DELETED,
    )
)


async def of_models(session: ReadSession, model_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return what is recommended for those of the models that have something, beside the cluster's name and workers."""
    return await _OF_MODELS.rows(session, {"model_ids": list(model_ids)})


async def next_models(session: ReadSession, job: str, before: datetime, limit: int) -> Sequence[UUID]:
    """Return models whose recommendation is older, or missing, in tenants that have clusters, and that the job may try.

    Those that have waited longest come first.
    """
    usable = (Cluster.tenant_id == Model.tenant_id, Cluster.status == ClusterStatus.AVAILABLE)
    statement = (
        select(Model.id)
        .where(lacks_recommendation(before), is_due(job, Model.id), select(Cluster.id).where(*usable).exists())
        .order_by(Model.recommended_cluster_sync_at.asc().nulls_first(), Model.id)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def of_model(session: ReadSession, model_id: UUID) -> RecommendedCluster | None:
    """Return what is recommended for a model."""
    statement = select(RecommendedCluster).where(RecommendedCluster.model_id == model_id)
    found: RecommendedCluster | None = await session.scalar(statement)
    return found


async def forget_cluster(session: WriteSession, cluster_id: UUID) -> None:
    """Recommend a cluster for nothing any more."""
    await session.execute(delete(RecommendedCluster).where(RecommendedCluster.cluster_id == cluster_id))
