from decimal import Decimal

from budapp.pricing_ops.models import DeploymentPricing
from tests.surface.share import SeedContext, Share, Things


async def _seed(context: SeedContext) -> Things:
    costs = {"input_cost": Decimal(1), "output_cost": Decimal(2)}
    await context.add(DeploymentPricing(endpoint_id=context.id_of("endpoint_id"), **costs, **context.owned))
    return {}


share = Share("pricing_ops", seed=_seed)
