from datetime import timedelta

from uuid_utils.compat import uuid7

from budapp.commons.database import now
from budapp.gateway_ops.models import GatewayToken, TokenPurpose
from tests.surface.share import SeedContext, Share, Things


async def _seed(context: SeedContext) -> Things:
    of_owner = {"tenant_id": context.tenant_id, "user_id": context.owner.id}
    until = {"hashed_token": uuid7().hex, "expires_at": now() + timedelta(hours=1)}
    await context.add(GatewayToken(purpose=TokenPurpose.PLAYGROUND, **of_owner, **until))
    return {}


share = Share("gateway_ops", seed=_seed)
