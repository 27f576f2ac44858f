from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, delete, select

from budapp.cluster_ops.models import Cluster, ClusterStatus
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.isolation import is_due
from budapp.commons.json_columns import json_object
from budapp.model_ops.models import Model, lacks_recommendation
from budapp.recommendation_ops.models import RecommendedCluster

_WORKERS = [getattr(Cluster, f"{kind}_{of}_workers") for kind in ("cpu", "gpu", "hpu") for of in ("total", "available")]


def recommendation(model_id: Any) -> Any:
    """Return what is recommended for a model, as a column with a `RecommendationView`."""
    found = {
        "hardware_type": RecommendedCluster.hardware_type,
        "cost_per_million_tokens": cast(RecommendedCluster.cost_per_million_tokens, Text),
        "cluster": json_object({"name": Cluster.name} | {column.key: column for column in _WORKERS}),
    }
    of_model = (RecommendedCluster.model_id == model_id, Cluster.status != ClusterStatus.DELETED)
    joined = select(json_object(found)).join(Cluster, Cluster.id == RecommendedCluster.cluster_id)
    return joined.where(*of_model).correlate(model_id.class_).scalar_subquery()


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
