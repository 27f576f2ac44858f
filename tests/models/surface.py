from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.commons.database import Base, now
from budapp.model_ops.license_files import LicenseFile, LicenseFiles
from budapp.model_ops.models import License, Model, Paper, SecurityScan
from budapp.workflow_ops.models import WorkflowAttempt
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts


def _model(context: SeedContext) -> Model:
    about = {"modality": ["text_input", "text_output"], "supported_endpoints": ["/v1/chat/completions"]}
    where = {"source": "local", "provider_type": "disk", "local_path": "m"}
    return Model(id=uuid7(), name="Model", uri="acme/m", **where, **about, **context.owned)


def _parts(model: Model) -> list[Base]:
    mine = {"tenant_id": model.tenant_id, "model_id": model.id}
    counts = {f"total_{what}": 0 for what in ("issues", "scanned_files", "skipped_files")}
    counts |= {f"{severity}_severity_count": 0 for severity in ("low", "medium", "high", "critical")}
    return [
        Paper(title="Paper", url="https://example.com/paper", **mine),
        License(name="MIT", url="https://example.com/license", **mine),
        SecurityScan(status="safe", scanned_files=[], model_issues={}, **counts, **mine),
    ]


async def _seed(context: SeedContext) -> Things:
    """Put in a model with files, a draft of each type of workflow, and one that failed (`failed_workflow_id`)."""
    model = _model(context)
    await context.add(model, *_parts(model))
    about = {"provider_id": context.things["provider_id"], "source": context.things["provider_type"], "tags": []}
    again = {"provider_type": "cloud_model", "name": "Again", "uri": "acme/again", **about}
    failed = await add_draft(context, "cloud_model_onboarding", again)
    attempt = {"workflow_id": failed.id, "correlation_id": failed.id, "number": 1, "step_number": 1, "state": "failed"}
    await context.add(WorkflowAttempt(tenant_id=context.tenant_id, lock_expires_at=now(), **attempt))
    return {
        "model_id": str(model.id),
        "cloud_workflow_id": str((await add_draft(context, "cloud_model_onboarding", {})).id),
        "scan_workflow_id": str((await add_draft(context, "model_security_scan", {"model_id": str(model.id)})).id),
        "failed_workflow_id": str(failed.id),
        "token": "none",
        "file_name": "MIT.txt",
    }


async def _licensed(context: RequestContext) -> None:
    """Have a license in the store, and a link to it."""
    files = context.component(LicenseFiles)
    await files.storage.ensure_bucket(files.bucket)
    path = await files.put(UUID(context.things["model_id"]), LicenseFile("MIT.txt", b"MIT", "text/plain"))
    context.things["token"] = files.link(path, "MIT.txt").split("/")[1]


_FIRST = {"step_number": 1, "workflow_total_steps": 4}

share = Share(
    "model_ops",
    seed=_seed,
    requests={
        "POST /models/local-model-workflow": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["workflow_id"], "provider_type": "hugging_face"},
            prepare=own_drafts,
        ),
        "POST /models/cloud-model-workflow": Valid(
            lambda t: {"step_number": 2, "workflow_id": t["cloud_workflow_id"], "provider_type": "cloud_model"},
            prepare=own_drafts,
        ),
        "POST /models/security-scan": Valid(
            lambda t: {"step_number": 1, "workflow_id": t["scan_workflow_id"], "model_id": t["model_id"]},
            prepare=own_drafts,
        ),
        "PATCH /models/{model_id}": Valid(files={"name": (None, b"Renamed")}),
        "POST /models/top-leaderboards": Valid(lambda t: {"benchmarks": ["mmlu"]}),
        "GET /static/licenses/{token}/{file_name}": Valid(prepare=_licensed),
    },
    audited={
        "POST /models/local-model-workflow": Audited(
            "create", "workflow", Valid(lambda t: {**_FIRST, "provider_type": "hugging_face"})
        ),
        "POST /models/cloud-model-workflow": Audited(
            "create", "workflow", Valid(lambda t: {**_FIRST, "provider_type": "cloud_model"})
        ),
        "POST /models/security-scan": Audited(
            "create", "workflow", Valid(lambda t: {**_FIRST, "model_id": t["model_id"]})
        ),
        "PATCH /models/{model_id}": Audited("update", "model"),
        "DELETE /models/{model_id}": Audited("update", "model"),
    },
    changes_nothing={"POST /models/top-leaderboards": "only looks"},
)
