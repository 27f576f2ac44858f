"""Rows of evaluations and their runs, put together as they are shown."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.experiment_ops import evaluation_schemas as view
from budapp.experiment_ops.models import RunStatus
from budapp.experiment_ops.schemas import (
    CurrentDataset,
    CurrentMetric,
    Interval,
    ModelOfExperiment,
    ProgressOverview,
    RunProgress,
)

_ENDED = {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.SKIPPED}


def interval(lower: Any, upper: Any) -> Interval | None:
    """Return the interval; None where it is not known."""
    if lower is None or upper is None:
        return None
    return Interval(lower=round(float(lower), 2), upper=round(float(upper), 2))


def evaluations(
    rows: Iterable[Row[Any]], runs: Iterable[Row[Any]], means: Iterable[Row[Any]]
) -> list[view.EvaluationView]:
    """Return the evaluations of the rows, with their runs and means."""
    runs_of, means_of = _by_evaluation(runs), _by_evaluation(means)
    return [_evaluation(row, runs_of.get(row.id, []), means_of.get(row.id, [])) for row in rows]


def _by_evaluation(rows: Iterable[Row[Any]]) -> dict[UUID, list[Row[Any]]]:
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.evaluation_id, []).append(row)
    return found


def _evaluation(row: Row[Any], runs: Sequence[Row[Any]], means: Sequence[Row[Any]]) -> view.EvaluationView:
    overall = next((mean for mean in means if mean.trait_id is None), None)
    scores = view.EvaluationScores(
        status=row.status,
        overall_accuracy=overall.score if overall is not None else None,
        confidence_interval=interval(overall.lower, overall.upper) if overall is not None else None,
        datasets=[_dataset_score(run) for run in runs],
    )
    model = None
    if row.model_name is not None:
        model = ModelOfExperiment(id=row.model_id, name=row.model_name, deployment_name=row.deployment_name)
    traits = [_trait(mean) for mean in means if mean.trait_id is not None]
    named = {**row._mapping, "evaluation_id": row.id, "model": model, "scores": scores, "traits": traits}
    return view.EvaluationView.model_validate({**named, "runs": [_run(run) for run in runs]})


def _trait(mean: Row[Any]) -> view.TraitWithDatasets:
    about = {"id": mean.trait_id, "name": mean.trait_name, "icon": mean.icon, "score": mean.score}
    limits = {"confidence_interval": interval(mean.lower, mean.upper)}
    return view.TraitWithDatasets.model_validate({**about, **limits, "datasets": mean.datasets})


def _dataset_score(run: Row[Any]) -> view.DatasetScore:
    return view.DatasetScore(
        dataset_id=run.dataset_id,
        dataset_name=run.dataset_name,
        score=run.score,
        samples=run.samples if run.score is not None else None,
        confidence_interval=interval(run.lower, run.upper),
    )


def _run(run: Row[Any]) -> view.RunOfEvaluation:
    found = {**run._mapping, "run_id": run.id, "confidence_interval": interval(run.lower, run.upper)}
    return view.RunOfEvaluation.model_validate({**found, "samples": run.samples if run.score is not None else None})


def current_metrics(runs: Iterable[Row[Any]], names: dict[UUID, str]) -> list[CurrentMetric]:
    """Return the newest run of each dataset with each deployment; `names` are those of evaluations."""
    newest = {(run.dataset_id, run.endpoint_id): run for run in runs}
    return [_metric(run, names.get(run.evaluation_id)) for run in newest.values()]


def _metric(run: Row[Any], evaluation: str | None) -> CurrentMetric:
    return CurrentMetric(
        run_id=run.id,
        evaluation=evaluation,
        dataset=run.dataset_name,
        deployment_name=run.deployment_name,
        model_name=run.model_name,
        traits=run.traits or [],
        status=run.status,
        score=None if run.score is None else f"{run.score:.2f}",
        score_value=run.score,
        samples=run.samples if run.score is not None else None,
        confidence_interval=interval(run.lower, run.upper),
        last_run=run.ended_at or run.started_at or run.created_at,
    )


def progress(rows: Iterable[Row[Any]], runs: Iterable[Row[Any]], objective: str | None) -> list[ProgressOverview]:
    """Return how the evaluations are going that go on."""
    runs_of = _by_evaluation(runs)
    return [_progress(row, runs_of.get(row.id, []), objective) for row in rows if row.status == "running"]


def _progress(row: Row[Any], runs: Sequence[Row[Any]], objective: str | None) -> ProgressOverview:
    done = sum(run.status in _ENDED for run in runs)
    scores = [float(run.score) for run in runs if run.score is not None]
    current = next((run.dataset_name for run in runs if run.status not in _ENDED), None)
    return ProgressOverview(
        run_id=row.id,
        title=row.evaluation_name,
        objective=row.description or objective or "",
        status=row.status,
        current=CurrentDataset(dataset_label=current) if current is not None else None,
        current_evaluation=current or "",
        current_model=row.model_name or row.deployment_name or "",
        eta_minutes=None if row.eta_seconds is None else -(-row.eta_seconds // 60),
        average_score_pct=round(sum(scores) / len(scores), 2) if scores else None,
        duration_in_seconds=row.duration_in_seconds,
        progress=RunProgress(percent=round(100 * done / len(runs)) if runs else 0, completed=done, total=len(runs)),
    )
