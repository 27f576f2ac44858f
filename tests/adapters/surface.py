from uuid import UUID

from budapp.adapter_ops.models import Adapter
from tests.deployments.surface import RUNNING
from tests.surface.share import Audited, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts


async def _seed(context: SeedContext) -> Things:
    return {"adapter_workflow_id": str((await add_draft(context, "add_adapter", {})).id)}


async def _seed_project(context: SeedContext) -> Things:
    endpoint_id = context.things["running_endpoint_id"]
    name = f"adapter-{context.owner.email.partition('@')[0]}"
    about = {"name": name, "deployment_name": name, "status": "running", "model_id": UUID(endpoint_id)}
    adapter = Adapter(endpoint_id=UUID(endpoint_id), **about, **context.owned)
    await context.add(adapter)
    return {"adapter_id": str(adapter.id)}


share = Share(
    "adapter_ops",
    seed=_seed,
    seed_project=_seed_project,
    requests={
        "POST /endpoints/add-adapter": Valid(
            lambda t: {
                "step_number": 1,
                "workflow_id": t["adapter_workflow_id"],
                "endpoint_id": t["running_endpoint_id"],
            },
            prepare=own_drafts,
        ),
        "GET /endpoints/{endpoint_id}/adapters": Valid(path=RUNNING),
    },
    audited={
        "POST /endpoints/add-adapter": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 4, "endpoint_id": t["running_endpoint_id"]}),
        ),
        "POST /endpoints/delete-adapter/{adapter_id}": Audited("update", "adapter"),
    },
)
