from budapp.publication_ops.models import PublicationHistory
from tests.surface.share import Audited, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    states = {"previous_state": {"is_published": True}, "new_state": {"is_published": False}}
    done = {"action": "unpublish", "performed_by": context.owner.id, "tenant_id": context.tenant_id}
    await context.add(PublicationHistory(deployment_id=context.id_of("endpoint_id"), **done, **states))
    return {}


_PRICE = {"input_cost": "0.25", "output_cost": 0.5}

share = Share(
    "publication_ops",
    seed=_seed,
    requests={
        "PUT /endpoints/{endpoint_id}/publish": Valid(lambda t: {"action": "publish", "pricing": _PRICE}),
    },
    audited={"PUT /endpoints/{endpoint_id}/publish": Audited("update", "endpoint")},
)
