from typing import Any

from sqlalchemy import select
from uuid_utils.compat import uuid7

from budapp.evaluation_ops.models import EvalDatasetVersion
from budapp.experiment_ops.models import EvalTag, Evaluation, EvaluationRun, Experiment, RunMetric
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts

_EVALUATION = "/experiments/{experiment_id}/evaluations"
_DATASET = {"dataset_id": "eval_dataset_id"}


async def _seed(context: SeedContext) -> Things:
    """Put in an experiment with an evaluation of the deployment, and a run that waits (`run_id`)."""
    version = await context.session.scalar(select(EvalDatasetVersion.id))
    tag = EvalTag(id=uuid7(), name="Fast", **context.owned)
    project = {"project_id": context.id_of("busy_project_id")}
    experiment = Experiment(id=uuid7(), name="which one", tag_ids=[tag.id], **project, **context.owned)
    about = {
        "experiment_id": experiment.id,
        "endpoint_id": context.id_of("endpoint_id"),
        "model_id": context.id_of("deployed_model_id"),
    }
    traits = {"trait_ids": [context.id_of("trait_id")]}
    evaluation = Evaluation(id=uuid7(), name="first", status="completed", **traits, **about, **context.owned)
    run = {"tenant_id": context.tenant_id, "dataset_version_id": version, **about}
    done = EvaluationRun(id=uuid7(), evaluation_id=evaluation.id, run_index=1, status="completed", **run)
    waiting = EvaluationRun(id=uuid7(), run_index=2, **run)
    score = {"metric_name": "accuracy", "mode": "gen", "metric_value": 50, "position": 0}
    metric = RunMetric(tenant_id=context.tenant_id, run_id=done.id, **score)
    await context.add(tag, experiment, evaluation, done, waiting, metric)
    draft = await add_draft(context, "evaluate_model", {"experiment_id": str(experiment.id), "name": "second"})
    creation = await add_draft(context, "evaluation_creation", {"name": "other"})
    return {
        "experiment_id": str(experiment.id),
        "evaluation_id": str(evaluation.id),
        "run_id": str(waiting.id),
        "eval_tag_id": str(tag.id),
        "evaluation_workflow_id": str(draft.id),
        "creation_workflow_id": str(creation.id),
    }


def _runs(t: Things) -> dict[str, Any]:
    return {"endpoint_ids": [t["endpoint_id"]], "dataset_ids": [t["eval_dataset_id"]]}


def _first(t: Things) -> dict[str, Any]:
    return {"step_number": 1, "workflow_total_steps": 5, "stage_data": {"name": t["fresh"]}}


async def _mine(context: RequestContext) -> None:
    await own_drafts(context)


share = Share(
    "experiment_ops",
    seed=_seed,
    requests={
        "GET /experiments/datasets/{dataset_id}/scores": Valid(path=_DATASET),
        "POST /experiments/": Valid(lambda t: {"name": t["fresh"], "tag_ids": [t["eval_tag_id"]]}),
        "PATCH /experiments/{experiment_id}": Valid(lambda t: {"name": t["fresh"]}),
        "POST /experiments/tags": Valid(lambda t: {"name": f"bud_tag_{t['fresh'][-12:]}"}),
        "GET /experiments/tags/search": Valid(query=lambda t: {"q": "as"}),
        "PATCH /experiments/runs/{run_id}": Valid(lambda t: {"config": {"shots": 5}}),
        "POST /experiments/{experiment_id}/runs": Valid(_runs),
        "PATCH /experiments/internal/evaluations/eta": Valid(
            lambda t: {"evaluation_id": t["evaluation_id"], "eta_seconds": 5}
        ),
        "POST /experiments/workflow": Valid(
            lambda t: {
                "step_number": 2,
                "workflow_id": t["creation_workflow_id"],
                "stage_data": {"endpoint_ids": [t["endpoint_id"]]},
            },
            prepare=_mine,
        ),
        "GET /experiments/workflow/{workflow_id}": Valid(path={"workflow_id": "creation_workflow_id"}, prepare=_mine),
        f"POST {_EVALUATION}/workflow": Valid(
            lambda t: {
                "step_number": 2,
                "workflow_id": t["evaluation_workflow_id"],
                "stage_data": {"endpoint_id": t["endpoint_id"]},
            },
            prepare=_mine,
        ),
        f"GET {_EVALUATION}/workflow/{{workflow_id}}": Valid(
            path={"workflow_id": "evaluation_workflow_id"}, prepare=_mine
        ),
    },
    audited={
        "POST /experiments/": Audited("create", "experiment"),
        "PATCH /experiments/{experiment_id}": Audited("update", "experiment"),
        "DELETE /experiments/{experiment_id}": Audited("update", "experiment"),
        "POST /experiments/tags": Audited("create", "experiment"),
        "PATCH /experiments/runs/{run_id}": Audited("update", "experiment"),
        "DELETE /experiments/runs/{run_id}": Audited("update", "experiment"),
        "POST /experiments/{experiment_id}/runs": Audited("create", "experiment"),
        "POST /experiments/workflow": Audited("create", "workflow", Valid(_first)),
        f"POST {_EVALUATION}/workflow": Audited("create", "workflow", Valid(_first)),
        f"POST {_EVALUATION}/{{evaluation_id}}/rerun": Audited("create", "experiment"),
    },
    changes_nothing={
        "PATCH /experiments/internal/evaluations/eta": "an estimate, every few seconds, of an evaluation in the trail",
    },
)
