from tests.projects.data import cluster_row
from tests.surface.share import SeedContext, Share, Things


async def _seed(context: SeedContext) -> Things:
    cluster = cluster_row(context.owner, "Cluster")
    await context.add(cluster)
    return {"cluster_id": str(cluster.id)}


share = Share("cluster_ops", seed=_seed)
