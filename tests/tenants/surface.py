from tests.surface.share import SeedContext, Share, Things


async def _seed(context: SeedContext) -> Things:
    return {"tenant_id": str(context.tenant_id)}


share = Share("tenant_ops", seed=_seed)
