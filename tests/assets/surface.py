from tests.surface.share import SeedContext, Share, Things, Valid


async def _seed(_context: SeedContext) -> Things:
    return {"path": "icons/general/model.svg"}


share = Share("asset_ops", seed=_seed, requests={"GET /static/{path}": Valid()})
