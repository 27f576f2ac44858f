from uuid import UUID

from budapp.deployment_setting_ops.models import DeploymentSettingsRevision
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid


def _revision(endpoint_id: UUID, tenant_id: UUID, user_id: UUID) -> DeploymentSettingsRevision:
    earlier = {"retry_config": {"num_retries": 2, "max_delay_s": 1.0}}
    return DeploymentSettingsRevision(
        endpoint_id=endpoint_id, tenant_id=tenant_id, replaced_by=user_id, settings=earlier
    )


async def _seed(context: SeedContext) -> Things:
    await context.add(_revision(context.id_of("endpoint_id"), context.tenant_id, context.owner.id))
    return {}


async def _changed(context: RequestContext) -> None:
    """Have settings to go back to."""
    async with context.database.write() as session:
        owner = context.scene.cast.admin
        tenant_id, endpoint_id = UUID(context.things["tenant_id"]), UUID(context.things["endpoint_id"])
        session.add(_revision(endpoint_id, tenant_id, owner.id))


_SETTINGS = "/endpoints/{endpoint_id}/deployment-settings"
_ROLLBACK = "/endpoints/{endpoint_id}/rollback"

share = Share(
    "deployment_setting_ops",
    seed=_seed,
    requests={
        f"PUT {_SETTINGS}": Valid(lambda t: {"rate_limits": {"requests_per_second": 5}}),
        f"POST {_ROLLBACK}": Valid(prepare=_changed),
    },
    audited={f"PUT {_SETTINGS}": Audited("update", "endpoint"), f"POST {_ROLLBACK}": Audited("update", "endpoint")},
)
