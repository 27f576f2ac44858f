from uuid import UUID, uuid4

from budapp.deployment_ops.models import DeploymentName
from budapp.integrations.dapr import DaprClient, Peer
from tests.projects.data import endpoint_row
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts

LOAD = {"concurrent_requests": 1, "avg_sequence_length": 100, "avg_context_length": 100}


async def _seed(context: SeedContext) -> Things:
    draft = await add_draft(context, "model_deployment", {"model_id": context.things["model_id"]})
    found = {"deploy_config": LOAD, "bud_simulator_events": {"steps": []}}
    simulating = await add_draft(context, "model_deployment", found)
    name = DeploymentName(tenant_id=context.tenant_id, name="some-day", workflow_id=draft.id)
    await context.add(name)
    return {"deploy_workflow_id": str(draft.id), "simulating_workflow_id": str(simulating.id)}


async def _seed_project(context: SeedContext) -> Things:
    """Put in a deployment on a cluster (`running_endpoint_id`); budcluster comes to know it when a request needs it."""
    project_id, bud_cluster_id = context.things["project_id"], uuid4()
    config = {**LOAD, "concurrent_requests": 10}
    names = {"name": f"running-{context.owner.email.partition('@')[0]}", "namespace": f"running-{uuid4()}"}
    endpoint = endpoint_row(
        project_id, context.owner, bud_cluster_id=bud_cluster_id, deployment_config=config, total_replicas=1, **names
    )
    await context.add(endpoint)
    about = {"running_cluster_id": str(bud_cluster_id), "running_namespace": names["namespace"]}
    return {"running_endpoint_id": str(endpoint.id), "worker_id": str(uuid4()), **about}


async def running(context: RequestContext) -> None:
    """Have budcluster know the deployment."""
    things = context.things
    body = {"namespace": things["running_namespace"], "cluster_id": things["running_cluster_id"]}
    dapr = context.component(DaprClient)
    workers = {"worker_ids": [str(UUID(things["worker_id"]))]}
    await dapr.invoke(Peer.BUDCLUSTER, "POST", "control/deployments", json={**body, **workers})


RUNNING = {"endpoint_id": "running_endpoint_id"}

share = Share(
    "deployment_ops",
    seed=_seed,
    seed_project=_seed_project,
    requests={
        "POST /models/deploy-workflow": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["deploy_workflow_id"], "project_id": t["project_id"]},
            prepare=own_drafts,
        ),
        "POST /models/cancel-deployment": Valid(lambda t: {"workflow_id": t["deploy_workflow_id"]}, prepare=own_drafts),
        "GET /clusters/recommended/{workflow_id}": Valid(path={"workflow_id": "simulating_workflow_id"}),
        "POST /endpoints/{endpoint_id}/delete-workflow": Valid(path=RUNNING, prepare=running),
        "GET /endpoints/{endpoint_id}/autoscale": Valid(path=RUNNING),
        "PUT /endpoints/{endpoint_id}/autoscale": Valid(
            lambda t: {"budaiscaler_specification": {"enabled": True}}, path=RUNNING, prepare=running
        ),
    },
    audited={
        "POST /models/deploy-workflow": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 8, "project_id": t["project_id"]}),
        ),
        "POST /models/cancel-deployment": Audited("update", "workflow"),
        "POST /endpoints/{endpoint_id}/delete-workflow": Audited("update", "endpoint"),
        "PUT /endpoints/{endpoint_id}/autoscale": Audited("update", "endpoint"),
    },
    changes_nothing={
        "POST /clusters/recommended-scheduler": "begins in the background what the job does by itself every day"
    },
)
