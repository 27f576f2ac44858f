from budapp.cluster_setting_ops.models import ClusterSettings
from tests.surface.share import Audited, SeedContext, Share, Things, Valid


async def _seed(context: SeedContext) -> Things:
    cluster_id = context.id_of("cluster_id")
    await context.add(ClusterSettings(cluster_id=cluster_id, default_storage_class="fast", **context.owned))
    return {}


_PATH = "/clusters/{cluster_id}/settings"
_BODY = {"default_storage_class": "slow", "default_access_mode": "ReadWriteMany"}

share = Share(
    "cluster_setting_ops",
    seed=_seed,
    requests={
        f"POST {_PATH}": Valid(lambda t: _BODY, path={"cluster_id": "idle_cluster_id"}),
        f"PUT {_PATH}": Valid(lambda t: _BODY),
    },
    audited={
        f"POST {_PATH}": Audited("create", "setting"),
        f"PUT {_PATH}": Audited("update", "setting"),
        f"DELETE {_PATH}": Audited("delete", "setting"),
    },
)
