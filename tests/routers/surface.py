from uuid_utils.compat import uuid7

from budapp.router_ops.models import Router, RouterEndpoint
from tests.surface.share import Audited, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    project_id, endpoint_id = context.id_of("busy_project_id"), context.id_of("endpoint_id")
    router = Router(id=uuid7(), project_id=project_id, name="Router", description="", **context.owned)
    target = RouterEndpoint(tenant_id=context.tenant_id, router_id=router.id, endpoint_id=endpoint_id, position=0)
    await context.add(router, target)
    return {"router_id": str(router.id)}


def _router(t: Things, name: str) -> dict[str, object]:
    about = {"project_id": t["busy_project_id"], "name": name, "description": ""}
    return {**about, "endpoints": [{"endpoint_id": t["endpoint_id"], "weight": 2}]}


share = Share(
    "router_ops",
    seed=_seed,
    requests={
        "GET /routers/": Valid(query=lambda t: {"project_id": t["busy_project_id"]}),
        "POST /routers/": Valid(lambda t: _router(t, t["fresh"])),
        "PUT /routers/{router_id}": Valid(lambda t: _router(t, "Renamed")),
    },
    audited={
        "POST /routers/": Audited("create", "endpoint"),
        "PUT /routers/{router_id}": Audited("update", "endpoint"),
        "DELETE /routers/{router_id}": Audited("delete", "endpoint"),
    },
)
