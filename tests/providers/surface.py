from budapp.provider_ops.models import Provider
from tests.surface.share import SeedContext, Share, Things


async def _seed(context: SeedContext) -> Things:
    provider = Provider(name="Cloud", type=f"cloud-{context.realm}", icon="c", capabilities=["model"])
    await context.add(provider)
    return {"provider_id": str(provider.id), "provider_type": provider.type}


share = Share("provider_ops", seed=_seed)
