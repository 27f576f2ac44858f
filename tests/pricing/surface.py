from decimal import Decimal
from uuid import UUID

from budapp.commons.database import now
from budapp.endpoint_ops.models import Endpoint
from budapp.pricing_ops.models import DeploymentPricing
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    costs = {"input_cost": Decimal(1), "output_cost": Decimal(2)}
    await context.add(DeploymentPricing(endpoint_id=context.id_of("endpoint_id"), **costs, **context.owned))
    return {}


async def _published(context: RequestContext) -> None:
    """Have the endpoint published."""
    async with context.database.write() as session:
        endpoint = await session.get_one(Endpoint, UUID(context.things["endpoint_id"]))
        endpoint.is_published, endpoint.published_date = True, now()


_PATH = "/endpoints/{endpoint_id}/pricing"

share = Share(
    "pricing_ops",
    seed=_seed,
    requests={f"PUT {_PATH}": Valid(lambda t: {"input_cost": "0.25", "output_cost": 0.5}, prepare=_published)},
    audited={f"PUT {_PATH}": Audited("update", "endpoint")},
)
