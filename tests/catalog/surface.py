from uuid import UUID

from budapp.commons.database import now
from budapp.endpoint_ops.models import Endpoint
from tests.surface.share import RequestContext, Share, Valid


async def _published(context: RequestContext) -> None:
    """Have the deployment published."""
    async with context.database.write() as session:
        endpoint = await session.get_one(Endpoint, UUID(context.things["endpoint_id"]))
        endpoint.model_id = UUID(context.things["model_id"])
        endpoint.is_published, endpoint.published_date = True, now()


share = Share("catalog_ops", requests={"GET /models/catalog/{endpoint_id}": Valid(prepare=_published)})
