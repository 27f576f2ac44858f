from uuid_utils.compat import uuid7

from budapp.commons.encrypted_columns import seal
from budapp.webhook_ops.models import Webhook, WebhookDelivery
from tests.surface.share import Audited, SeedContext, Share, Things, Valid

_QUEUED = "what is sent to a webhook is in the list of its deliveries"


async def _seed(context: SeedContext) -> Things:
    webhook = Webhook(id=uuid7(), name="ops", url="https://1.1.1.1/", **context.owned)
    seal(
        context.session.info["encryption"], webhook, Webhook.secret_encrypted, "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtMQ=="
    )
    sent = WebhookDelivery(
        tenant_id=context.tenant_id,
        webhook_id=webhook.id,
        event_id=uuid7(),
        event_type="cluster.status",
        body="{}",
        state="failed",
    )
    await context.add(webhook, sent)
    return {"webhook_id": str(webhook.id), "delivery_id": str(sent.id)}


share = Share(
    "webhook_ops",
    seed=_seed,
    requests={
        "POST /webhooks": Valid(lambda t: {"name": "new", "url": "https://1.1.1.1/"}),
        "PATCH /webhooks/{webhook_id}": Valid(lambda t: {"name": f"name {t['fresh']}"}),
    },
    audited={
        "POST /webhooks": Audited("config_changed", "setting"),
        "PATCH /webhooks/{webhook_id}": Audited("config_changed", "setting"),
        "DELETE /webhooks/{webhook_id}": Audited("config_changed", "setting"),
        "POST /webhooks/{webhook_id}/rotate-secret": Audited("config_changed", "setting"),
    },
    changes_nothing={
        "POST /webhooks/{webhook_id}/test": _QUEUED,
        "POST /webhooks/{webhook_id}/replay": _QUEUED,
        "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay": _QUEUED,
    },
)
