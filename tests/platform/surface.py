from uuid import UUID

from budapp.tenant_ops.models import Tenant
from tests.surface.share import Audited, RequestContext, Share, Things, Valid


def _new_tenant(things: Things) -> dict[str, str]:
    name = things["new_realm"]
    return {"name": name, "identifier": name, "administrator_email": "chief@example.com"}


async def _disabled(context: RequestContext) -> None:
    async with context.database.write() as session:
        tenant = await session.get_one(Tenant, UUID(context.things["idle_tenant_id"]))
        tenant.is_active = False


_IDLE = {"tenant_id": "idle_tenant_id"}

share = Share(
    "platform_ops",
    requests={
        "POST /tenants": Valid(_new_tenant),
        "GET /tenants/{tenant_id}": Valid(path=_IDLE),
        "PATCH /tenants/{tenant_id}": Valid(lambda t: {"name": "Renamed"}, path=_IDLE),
        "POST /tenants/{tenant_id}/disable": Valid(path=_IDLE),
        "POST /tenants/{tenant_id}/enable": Valid(path=_IDLE, prepare=_disabled),
    },
    audited={
        "POST /tenants": Audited("create", "config"),
        "PATCH /tenants/{tenant_id}": Audited("update", "config"),
        "POST /tenants/{tenant_id}/disable": Audited("update", "config"),
        "POST /tenants/{tenant_id}/enable": Audited("update", "config"),
    },
)
