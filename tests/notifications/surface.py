from budapp.notification_ops.models import Notification, NotificationPreference
from tests.surface.share import SeedContext, Share, Things, Valid

_SAID = {"type": "deployment_success", "title": "chat", "message": "Deployment is Done", "status": "COMPLETED"}
_OWN = "how somebody is told, or what they have read, changes nothing for anybody else"


async def _seed(context: SeedContext) -> Things:
    owner = {"tenant_id": context.tenant_id, "user_id": context.owner.id}
    told = Notification(**owner, **_SAID)
    await context.add(told, NotificationPreference(**owner, type="deployment_success", in_app=True, mail=False))
    return {"notification_id": str(told.id)}


share = Share(
    "notification_ops",
    seed=_seed,
    requests={
        "PUT /notifications/preferences": Valid(
            lambda t: {"preferences": [{"type": "deployment_success", "in_app": True, "mail": False}]}
        ),
    },
    changes_nothing={
        "PUT /notifications/preferences": _OWN,
        "POST /notifications/read-all": _OWN,
        "POST /notifications/{notification_id}/read": _OWN,
    },
)
