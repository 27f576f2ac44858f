from sqlalchemy import select

from budapp.audit.models import AuditEntry
from budapp.audit_ops.models import AuditDelivery, AuditRetention, DeliveryKind
from tests.surface.share import Audited, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    """Put in where entries go and for how long, and name the entry that the making of the owner has left."""
    url = "https://1.1.1.1/"
    delivery = AuditDelivery(tenant_id=context.tenant_id, kind=DeliveryKind.WEBHOOK, url=url)
    await context.add(delivery, AuditRetention(tenant_id=context.tenant_id, days=365))
    owner = context.owner.id
    statement = select(AuditEntry.id).where(AuditEntry.user_id == owner, AuditEntry.resource_id == owner)
    return {"audit_id": str((await context.session.scalars(statement)).one())}


share = Share(
    "audit_ops",
    seed=_seed,
    requests={
        "POST /audit/verify-batch": Valid(lambda t: [t["audit_id"]]),
        "PUT /audit/retention": Valid(lambda t: {"days": 90}),
        "PUT /audit/delivery": Valid(lambda t: {"kind": "webhook", "url": "https://1.1.1.1/"}),
    },
    audited={
        "PUT /audit/retention": Audited("config_changed", "setting"),
        "PUT /audit/delivery": Audited("config_changed", "setting"),
        "DELETE /audit/delivery": Audited("config_changed", "setting"),
    },
    changes_nothing={"POST /audit/verify-batch": "only looks"},
)
