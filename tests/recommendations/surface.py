from decimal import Decimal

from budapp.recommendation_ops.models import RecommendedCluster
from tests.surface.share import SeedContext, Share, Things


async def _seed(context: SeedContext) -> Things:
    what = {"model_id": context.id_of("model_id"), "cluster_id": context.id_of("cluster_id")}
    cost = {"hardware_type": ["cpu"], "cost_per_million_tokens": Decimal(1)}
    await context.add(RecommendedCluster(tenant_id=context.tenant_id, **what, **cost))
    return {}


share = Share("recommendation_ops", seed=_seed)
