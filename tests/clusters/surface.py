from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from budapp.cluster_ops.models import Kubeconfig
from tests.projects.data import cluster_row
from tests.surface.share import Audited, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts


def bud_cluster_id(realm: int) -> UUID:
    """Return budcluster's id of the cluster of a tenant: the same in each run, as the stand-ins are told of it."""
    return uuid5(NAMESPACE_URL, f"surface-cluster-{realm}")


async def _seed(context: SeedContext) -> Things:
    cluster = cluster_row(context.owner, "Cluster", cluster_id=bud_cluster_id(context.realm))
    idle = cluster_row(context.owner, "Idle cluster", cluster_id=uuid4())
    await context.add(cluster, idle)
    draft = await add_draft(context, "cluster_onboarding", {"name": "Draft"})
    waiting = {"workflow_id": draft.id, "content_encrypted": "sealed"}
    await context.add(Kubeconfig(tenant_id=context.tenant_id, **waiting))
    names = {"cluster_id": str(cluster.id), "idle_cluster_id": str(idle.id)}
    return {**names, "onboarding_workflow_id": str(draft.id)}


share = Share(
    "cluster_ops",
    seed=_seed,
    requests={
        "POST /clusters/clusters": Valid(
            form=lambda t: {"step_number": "1", "workflow_id": t["onboarding_workflow_id"], "name": "New"},
            prepare=own_drafts,
        ),
        "POST /clusters/cancel-onboarding": Valid(
            lambda t: {"workflow_id": t["onboarding_workflow_id"]}, prepare=own_drafts
        ),
        "PATCH /clusters/{cluster_id}": Valid(lambda t: {"name": "Renamed"}),
        "POST /clusters/{cluster_id}/delete-workflow": Valid(path={"cluster_id": "idle_cluster_id"}),
    },
    audited={
        "POST /clusters/clusters": Audited(
            "create",
            "workflow",
            Valid(form=lambda t: {"step_number": "1", "workflow_total_steps": "3", "name": "New"}),
        ),
        "POST /clusters/cancel-onboarding": Audited("update", "workflow"),
        "PATCH /clusters/{cluster_id}": Audited("update", "cluster"),
        "POST /clusters/{cluster_id}/delete-workflow": Audited("update", "cluster"),
    },
)
