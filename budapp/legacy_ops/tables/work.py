"""Workflows, benchmarks, experiments: what people had done, and what has come of it."""

from typing import Any

from budapp.benchmark_ops.models import Benchmark, RequestMetrics
from budapp.experiment_ops.models import EvalTag, Evaluation, EvaluationRun, Experiment, RunMetric
from budapp.legacy_ops.declarations import (
    OLDEST,
    Left,
    Move,
    NoHome,
    Old,
    Ref,
    Value,
    column,
    either,
    id_of,
    ids_of,
    marks,
    of,
)
from budapp.workflow_ops.models import Workflow, WorkflowStep

_CUT_OFF = "It was under way when the service was replaced; start it again"
_USER = Ref("user")

_OF_FIRST_RUN = (
    "(select r.endpoint_id from public.runs r where r.experiment_id = t.experiment_id and r.evaluation_id = t.id"
    " order by r.run_index limit 1)"
)
_FIRST_USE = (
    "(select e.created_by from public.experiments e where t.id = any(e.tag_ids) order by e.created_at, e.id limit 1)"
)
_RAW = (
    "(select jsonb_build_object('preview_results', w.preview_results, 'full_results_uri', w.full_results_uri)"
    " from public.exp_raw_results w where w.run_id = t.id)"
)
_POSITION = (
    "(select count(*) from public.exp_metrics o where o.run_id = t.run_id"
    " and (o.metric_name, o.mode) < (t.metric_name, t.mode))"
)


def _ended(running: str) -> Value:
    """Return the status, which nobody works on any more where the former service did."""

    def value(old: Old) -> Any:
        return "cancelled" if old["status"] == running else old["status"]

    return value


def _reason(running: str) -> Value:
    def value(old: Old) -> Any:
        own = old["reason"] if old.has("reason") else None
        return _CUT_OFF if old["status"] == running else own

    return value


def _known_type(old: Old) -> None:
    if old["workflow_type"] not in old.context.workflow_types:
        raise Left(f"there is no workflow of the kind {old['workflow_type']} here")


def _eval_with(old: Old) -> str:
    if old["eval_with"] in ("dataset", "configuration"):
        return str(old["eval_with"])
    return "dataset" if old["dataset_ids"] else "configuration"


def _dataset_ids(old: Old) -> list[str] | None:
    return None if old["dataset_ids"] is None else [str(row["id"]) for row in old.rows_of("dataset_ids")]


def _intervals(old: Old) -> list[float] | None:
    found = old["itl"]
    if found is None:
        return None
    try:
        return [float(one) for one in found]
    except (TypeError, ValueError):
        raise Left("its itl is no list of numbers") from None


def _refuse_unused(old: Old) -> None:
    if old["created_by"] is None:
        raise Left("no experiment has this tag, so that it belongs to nobody")


def _refuse_without_runs(old: Old) -> None:
    if old["endpoint_id"] is None:
        raise Left("it has no run, so that nobody knows what was evaluated")


def _name(old: Old) -> str:
    return str(old["name"]).lower()


MOVES = (
    Move(
        "workflow",
        Workflow,
        refs={"created_by": _USER},
        tenant="created_by",
        columns={"status": _ended("in_progress"), "reason": _reason("in_progress")},
        check=_known_type,
    ),
    Move(
        "workflow_step",
        WorkflowStep,
        refs={"workflow_id": Ref("workflow")},
        tenant="workflow_id",
        columns={"data": either("data", {})},
        natural=("workflow_id", "step_number"),
    ),
    Move(
        "benchmark",
        Benchmark,
        refs={
            "user_id": _USER,
            "model_id": Ref("model"),
            "cluster_id": Ref("cluster"),
            "dataset_ids": Ref("dataset", many=True),
        },
        tenant="user_id",
        columns={
            "dataset_ids": _dataset_ids,
            "tags": marks("tags"),
            "created_by": id_of("user_id"),
            "description": either("description", ""),
            "eval_with": _eval_with,
            "status": _ended("processing"),
            "reason": _reason("processing"),
        },
    ),
    Move(
        "benchmark_request_metrics",
        RequestMetrics,
        refs={"benchmark_id": Ref("benchmark"), "dataset_id": Ref("dataset", optional=True)},
        tenant="benchmark_id",
        columns={"itl": _intervals},
    ),
    Move(
        "eval_tags",
        EvalTag,
        order=OLDEST,
        refs={"created_by": Ref("user")},
        tenant="created_by",
        extra={"created_by": _FIRST_USE},
        check=_refuse_unused,
    ),
    Move(
        "experiments",
        Experiment,
        order=OLDEST,
        refs={"created_by": _USER, "project_id": Ref("project", optional=True), "tag_ids": Ref("eval_tags", many=True)},
        tenant="created_by",
        columns={
            "name": _name,
            "status": lambda old: "active" if old["status"] == "draft" else old["status"],
            "tag_ids": ids_of("tag_ids"),
        },
    ),
    Move(
        "evaluations",
        Evaluation,
        order=OLDEST,
        refs={
            "experiment_id": Ref("experiments"),
            "created_by": _USER,
            "endpoint_id": Ref("endpoint", ("model_id",)),
            "workflow_id": Ref("workflow", optional=True, quiet=True),
            "trait_ids": Ref("exp_traits", many=True),
        },
        tenant="experiment_id",
        extra={"endpoint_id": _OF_FIRST_RUN},
        columns={
            "model_id": of("endpoint_id", "model_id"),
            "trait_ids": ids_of("trait_ids"),
            "status": lambda old: "cancelled" if old["status"] in ("pending", "running") else old["status"],
            "reason": lambda old: _CUT_OFF if old["status"] in ("pending", "running") else None,
        },
        check=_refuse_without_runs,
    ),
    Move(
        "runs",
        EvaluationRun,
        refs={
            "experiment_id": Ref("experiments"),
            "evaluation_id": Ref("evaluations", optional=True),
            "endpoint_id": Ref("endpoint", ("model_id",)),
            "dataset_version_id": Ref("exp_dataset_versions"),
        },
        tenant="experiment_id",
        extra={"raw_result": _RAW},
        columns={
            "model_id": of("endpoint_id", "model_id"),
            "status": lambda old: "cancelled" if old["status"] in ("pending", "running") else old["status"],
            "reason": lambda old: _CUT_OFF if old["status"] in ("pending", "running") else None,
        },
    ),
    Move(
        "exp_metrics",
        RunMetric,
        refs={"run_id": Ref("runs")},
        tenant="run_id",
        extra={"position": _POSITION},
        columns={"metric_value": column("metric_value")},
    ),
    Move("exp_raw_results", EvaluationRun, refs={"run_id": Ref("runs")}, into="run_id"),
)

NO_HOME = (
    NoHome("workflow_runs", "the former framework's own notes; what people see of them is in workflow"),
    NoHome("workflow_steps", "the former framework's own notes; what people see of them is in workflow_step"),
)
