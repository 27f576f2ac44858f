from tests.deployments.surface import RUNNING, running
from tests.surface.share import Audited, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts

_WORKERS = "GET /endpoints/{endpoint_id}/workers"
_LOOK = Valid(path=RUNNING, prepare=running)


async def _seed(context: SeedContext) -> Things:
    return {"worker_workflow_id": str((await add_draft(context, "add_worker_to_endpoint", {})).id)}


share = Share(
    "worker_ops",
    seed=_seed,
    requests={
        "POST /endpoints/add-worker": Valid(
            lambda t: {
                "step_number": 1,
                "workflow_id": t["worker_workflow_id"],
                "endpoint_id": t["running_endpoint_id"],
            },
            prepare=own_drafts,
        ),
        "POST /endpoints/delete-worker": Valid(
            lambda t: {"endpoint_id": t["running_endpoint_id"], "worker_id": t["worker_id"], "worker_name": "one"},
            prepare=running,
        ),
        _WORKERS: _LOOK,
        f"{_WORKERS}/{{worker_id}}/logs/stream": Valid(query=lambda t: {"seconds": 0}, path=RUNNING, prepare=running),
        **{f"{_WORKERS}/{{worker_id}}{tail}": _LOOK for tail in ("", "/logs", "/metrics")},
    },
    audited={
        "POST /endpoints/add-worker": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 5, "endpoint_id": t["running_endpoint_id"]}),
        ),
        "POST /endpoints/delete-worker": Audited("create", "workflow"),
    },
)
