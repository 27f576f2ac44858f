from tests.surface.share import Audited, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts


async def _seed(context: SeedContext) -> Things:
    draft = await add_draft(context, "local_model_quantization", {"model_id": context.things["model_id"]})
    return {"quantization_workflow_id": str(draft.id)}


share = Share(
    "quantization_ops",
    seed=_seed,
    requests={
        "POST /models/quantize-model-workflow": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["quantization_workflow_id"], "model_id": t["model_id"]},
            prepare=own_drafts,
        ),
        "POST /models/cancel-quantization": Valid(lambda t: {"workflow_id": t["quantization_workflow_id"]}),
    },
    audited={
        "POST /models/quantize-model-workflow": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 4, "model_id": t["model_id"]}),
        ),
        "POST /models/cancel-quantization": Audited("update", "workflow"),
    },
)
