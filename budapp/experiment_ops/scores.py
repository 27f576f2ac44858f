"""Scores set beside each other: leaderboards of datasets, and comparisons of deployments."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession
from budapp.commons.paging import Paging
from budapp.evaluation_ops.services import get_dataset
from budapp.experiment_ops import score_schemas as view
from budapp.experiment_ops.score_crud import ScoreCrud, Wanted
from budapp.experiment_ops.views import interval
from budapp.provider_ops.tags import colored


async def rank_dataset(
    session: ReadSession, caller: Caller, dataset_id: UUID, query: view.ScoreQuery
) -> tuple[str, Page]:
    """Return a dataset's name, and a page of the deployments that were run with it, the best first.

    Raises:
        NotFound: no such dataset.
    """
    dataset = await get_dataset(session, dataset_id)
    return dataset.name, await ScoreCrud(session, caller).page_of_ranks(query, [dataset_id], Wanted())


async def list_scores(session: ReadSession, caller: Caller, query: view.CrossScoreQuery) -> Page:
    """Return a page of scores by dataset and rank; those of others count in the ranks, too."""
    endpoints = [query.endpoint_id] if query.endpoint_id is not None else []
    only = Wanted(endpoints, [query.model_id] if query.model_id is not None else [])
    datasets = [query.dataset_id] if query.dataset_id is not None else []
    return await ScoreCrud(session, caller).page_of_ranks(query, datasets, only)


def ranked(row: Row[Any]) -> dict[str, Any]:
    """Return a row of these pages as `CrossScore` has it."""
    difference = None
    if row.rank > 1 and row.behind_lower is not None:
        limits = {"points": row.behind, "lower": row.behind_lower, "upper": row.behind_upper}
        difference = view.Difference(**limits, is_certain=row.behind_lower > 0)
    return {
        **row._mapping,
        "accuracy": row.score,
        "model_display_name": row.model_name,
        "confidence_interval": interval(row.lower, row.upper),
        "behind_best": difference,
        "num_runs": row.run_count,
    }


async def list_deployments(session: ReadSession, caller: Caller, paging: Paging) -> Page:
    """Return a page of the deployments that can be compared."""
    return await ScoreCrud(session, caller).page_of_deployments(paging)


async def list_traits(session: ReadSession, caller: Caller, query: view.TraitsQuery) -> Sequence[Row[Any]]:
    """Return the traits by which the deployments can be compared."""
    return await ScoreCrud(session, caller).counted_traits(Wanted(query.deployment_ids))


async def radar(session: ReadSession, caller: Caller, query: view.ComparisonQuery) -> view.Radar:
    """Return the means of deployments by trait."""
    rows = await ScoreCrud(session, caller).traits(Wanted.of(query))
    traits = {row.trait_id: view.RadarTrait(id=row.trait_id, name=row.trait_name, icon=row.icon) for row in rows}
    deployments: dict[UUID, view.RadarDeployment] = {}
    for row in rows:
        about = {"deployment_id": row.endpoint_id, "deployment_name": row.endpoint_name, "model_name": row.model_name}
        color = colored([str(row.endpoint_id)])[0]["color"]
        one = deployments.setdefault(row.endpoint_id, view.RadarDeployment(**about, color=color, trait_scores=[]))
        limits = interval(row.lower, row.upper)
        one.trait_scores.append(view.TraitScore.model_validate({**row._mapping, "confidence_interval": limits}))
    return view.Radar(traits=list(traits.values()), deployments=list(deployments.values()))


async def heatmap(session: ReadSession, caller: Caller, query: view.HeatmapQuery) -> view.Heatmap:
    """Return the means of deployments by dataset: of so many datasets as are asked for, by name."""
    rows = await ScoreCrud(session, caller).cells(Wanted.of(query))
    names = dict(sorted({row.dataset_id: row.dataset_name for row in rows}.items(), key=lambda pair: pair[1]))
    shown = dict(list(names.items())[: query.limit])
    return view.Heatmap(
        datasets=[view.HeatmapDataset(id=dataset_id, name=name) for dataset_id, name in shown.items()],
        deployments=_rows_of_heatmap(rows, shown),
        stats=_stats([row for row in rows if row.dataset_id in shown]),
    )


def _rows_of_heatmap(rows: Iterable[Row[Any]], shown: dict[UUID, str]) -> list[view.HeatmapDeployment]:
    cells: dict[UUID, dict[UUID, Row[Any]]] = {}
    for row in rows:
        if row.dataset_id in shown:
            cells.setdefault(row.endpoint_id, {})[row.dataset_id] = row
    return [_row_of_heatmap(endpoint_id, own, shown) for endpoint_id, own in cells.items()]


def _row_of_heatmap(endpoint_id: UUID, own: dict[UUID, Row[Any]], shown: dict[UUID, str]) -> view.HeatmapDeployment:
    any_row = next(iter(own.values()))
    return view.HeatmapDeployment(
        deployment_id=endpoint_id,
        deployment_name=any_row.endpoint_name,
        model_name=any_row.model_name,
        dataset_scores=[_cell(dataset_id, name, own.get(dataset_id)) for dataset_id, name in shown.items()],
    )


def _cell(dataset_id: UUID, name: str, row: Row[Any] | None) -> view.Cell:
    if row is None:
        return view.Cell(dataset_id=dataset_id, dataset_name=name)
    found = {"score": row.score, "run_count": row.run_count, "samples": row.samples}
    limits = interval(row.lower, row.upper)
    return view.Cell(dataset_id=dataset_id, dataset_name=name, confidence_interval=limits, **found)


def _stats(rows: Sequence[Row[Any]]) -> view.HeatmapStats:
    scores = [float(row.score) for row in rows]
    if not scores:
        return view.HeatmapStats(min_score=0, max_score=0, avg_score=0)
    mean = round(sum(scores) / len(scores), 2)
    return view.HeatmapStats(min_score=min(scores), max_score=max(scores), avg_score=mean)


async def result_of_model(session: ReadSession, caller: Caller, model_id: UUID) -> dict[str, Any] | None:
    """Return what evaluations that the caller may see have found of a model; None where there are none."""
    scores, wanted = ScoreCrud(session, caller), Wanted(model_ids=[model_id])
    cells = await scores.cells(wanted)
    if not cells:
        return None
    overall, traits = await scores.overall(wanted), await scores.traits(wanted)
    return {
        "overall_accuracy": _number(overall.score) if overall else None,
        "confidence_interval": _limits(overall) if overall else None,
        "evaluated_at": max(row.created_at for row in cells).isoformat(),
        "traits": [{"name": row.trait_name, **_scored(row), "deployment_name": row.endpoint_name} for row in traits],
        "datasets": [{"name": row.dataset_name, **_scored(row), "deployment_name": row.endpoint_name} for row in cells],
    }


def _scored(row: Row[Any]) -> dict[str, Any]:
    found = {"score": _number(row.score), "samples": _number(row.samples), "run_count": _number(row.run_count)}
    return {**found, "confidence_interval": _limits(row)}


def _limits(row: Row[Any]) -> dict[str, float] | None:
    found = interval(row.lower, row.upper)
    return found.model_dump() if found is not None else None


def _number(value: Any) -> float | int | None:
    return None if value is None else int(value) if isinstance(value, int) else float(value)
