from budapp.deployment_ops.models import DeploymentName
from tests.surface.share import Audited, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts

LOAD = {"concurrent_requests": 1, "avg_sequence_length": 100, "avg_context_length": 100}


async def _seed(context: SeedContext) -> Things:
    draft = await add_draft(context, "model_deployment", {"model_id": context.things["model_id"]})
    found = {"deploy_config": LOAD, "bud_simulator_events": {"steps": []}}
    simulating = await add_draft(context, "model_deployment", found)
    name = DeploymentName(tenant_id=context.tenant_id, name="some-day", workflow_id=draft.id)
    await context.add(name)
    return {"deploy_workflow_id": str(draft.id), "simulating_workflow_id": str(simulating.id)}


share = Share(
    "deployment_ops",
    seed=_seed,
    requests={
        "POST /models/deploy-workflow": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["deploy_workflow_id"], "project_id": t["project_id"]},
            prepare=own_drafts,
        ),
        "POST /models/cancel-deployment": Valid(lambda t: {"workflow_id": t["deploy_workflow_id"]}),
        "GET /clusters/recommended/{workflow_id}": Valid(path={"workflow_id": "simulating_workflow_id"}),
    },
    audited={
        "POST /models/deploy-workflow": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 8, "project_id": t["project_id"]}),
        ),
        "POST /models/cancel-deployment": Audited("update", "workflow"),
    },
    changes_nothing={
        "POST /clusters/recommended-scheduler": "begins in the background what the job does by itself every day"
    },
)
