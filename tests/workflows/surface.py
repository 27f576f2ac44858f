from collections.abc import Mapping

from sqlalchemy import update
from uuid_utils.compat import uuid7

from budapp.workflow_ops.models import Workflow, WorkflowStep
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid


async def add_draft(context: SeedContext, workflow_type: str, data: Mapping[str, object]) -> Workflow:
    """Put in a workflow whose first step says this."""
    workflow = Workflow(id=uuid7(), workflow_type=workflow_type, title="Draft", total_steps=5, **context.owned)
    step = WorkflowStep(tenant_id=context.tenant_id, workflow_id=workflow.id, step_number=1, data=dict(data))
    await context.add(workflow, step)
    return workflow


async def own_drafts(context: RequestContext) -> None:
    """Have the caller be who began the tenant's workflows: nobody else posts their steps."""
    if context.person is None or not context.is_of_the_tenant:
        return
    async with context.database.write() as session:
        mine = Workflow.tenant_id == context.person.tenant_id
        await session.execute(update(Workflow).where(mine).values(created_by=context.person.id))


async def _seed(context: SeedContext) -> Things:
    return {"workflow_id": str((await add_draft(context, "local_model_onboarding", {})).id)}


share = Share(
    "workflow_ops",
    seed=_seed,
    requests={"POST /workflows/{workflow_id}/retry": Valid(path={"workflow_id": "failed_workflow_id"})},
    audited={
        "PATCH /workflows/{workflow_id}": Audited("update", "workflow"),
        "DELETE /workflows/{workflow_id}": Audited("update", "workflow"),
        "POST /workflows/{workflow_id}/retry": Audited("update", "workflow"),
    },
)
